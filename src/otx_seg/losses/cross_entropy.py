"""Pixel-wise cross-entropy."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from otx_seg.labels import IGNORE_INDEX


class CrossEntropy(nn.Module):
    """Mean over the labelled pixels of -log softmax(logits)[true label]."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compare scores with the truth.

        Args:
            logits: (B, K, H, W) floating point of any width; computed in float32.
            target: (B, H, W) integer, values 0..K-1, or 255 where a pixel does not count.

        Returns:
            float32 scalar >= 0, natural logarithm; 0 with a gradient of zeros when every pixel is ignored.
        """
        total = functional.cross_entropy(logits.float(), target.long(), ignore_index=IGNORE_INDEX, reduction="sum")
        return total / (target != IGNORE_INDEX).sum().clamp(min=1)
