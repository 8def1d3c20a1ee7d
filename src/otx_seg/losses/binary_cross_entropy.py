"""Cross-entropy of a sigmoid."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from otx_seg.labels import IGNORE_INDEX
from otx_seg.loss_parts.precision import widened


class BinaryCrossEntropy(nn.Module):
    """Mean over the labelled pixels of the cross-entropy of one channel's sigmoid; it compares with two labels."""

    is_binary = compares_sigmoids = True

    def __init__(self, positive_weight: float = 1.0) -> None:
        """
        Args:
            positive_weight: a factor of the loss of pixels whose label is 1, above 0.

        Raises:
            ValueError: the weight is not above 0.
        """
        super().__init__()
        if positive_weight <= 0:
            raise ValueError(f"positive_weight must be above 0, not {positive_weight}")
        self.positive_weight = positive_weight

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compare scores with the truth.

        Args:
            logits: (B, 1, H, W) floating point of any width; computed in float32 at least.
            target: (B, H, W) integer, 0, 1, or 255 where a pixel does not count.

        Returns:
            scalar, float32 at least, >= 0, natural logarithm; 0 with a gradient of zeros when every pixel is ignored.
        """
        counted = target != IGNORE_INDEX
        scores = widened(logits[:, 0])
        truth, weight = (target == 1).to(scores.dtype), torch.tensor(self.positive_weight, device=logits.device)
        losses = functional.binary_cross_entropy_with_logits(
            scores, truth, counted.to(scores.dtype), pos_weight=weight, reduction="sum"
        )
        return losses / counted.sum().clamp(min=1)
