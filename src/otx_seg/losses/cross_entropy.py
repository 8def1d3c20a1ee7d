"""Pixel-wise cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from otx_seg.labels import IGNORE_INDEX


class CrossEntropy(nn.Module):
    """Mean over the labelled pixels of -w log softmax(logits)[true label].

    Without weights a network that trains for minutes leaves out labels of a percent or less altogether.
    """

    def __init__(self, label_weights: Sequence[float]) -> None:
        """
        Args:
            label_weights: w of each label, above 0, in index order; see `otx_seg.class_weights`.
        """
        super().__init__()
        self.label_weights: Tensor
        # Not persistent: it follows from the data, and a state dict holds what was learned.
        self.register_buffer("label_weights", torch.tensor(label_weights, dtype=torch.float32), persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compare scores with the truth.

        Args:
            logits: (B, K, H, W) floating point of any width; computed in float32.
            target: (B, H, W) integer, values 0..K-1, or 255 where a pixel does not count.

        Returns:
            float32 scalar >= 0, natural logarithm; 0 with a gradient of zeros when every pixel is ignored.
        """
        total = functional.cross_entropy(
            logits.float(), target.long(), self.label_weights, ignore_index=IGNORE_INDEX, reduction="sum"
        )
        return total / (target != IGNORE_INDEX).sum().clamp(min=1)
