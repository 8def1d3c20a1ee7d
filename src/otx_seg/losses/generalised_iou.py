"""IoU with labels weighted by the inverse of their area."""

from __future__ import annotations

from torch import Tensor, nn

from otx_seg.loss_parts.overlap import SMALLEST, overlap
from otx_seg.losses.generalised_dice import inverse_area


class GeneralisedIou(nn.Module):
    """1 - sum_k w_k sum(p t) / sum_k w_k (sum(p) + sum(t) - sum(p t)), with w_k = 1 / (pixels of label k)^2.

    What Sudre et al. 2017 do with Dice, for the IoU. Not the "generalised IoU" of boxes.
    """

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compare scores with the truth.

        Args:
            logits: (B, K, H, W) floating point of any width; computed in float32 at least.
            target: (B, H, W) integer, values 0..K-1, or 255 where a pixel does not count.

        Returns:
            scalar, float32 at least, 0..1; 0 with a gradient of zeros when every pixel is ignored.
        """
        counts = overlap(logits, target)
        weights = inverse_area(counts.true)
        union = (weights * (counts.predicted + counts.true - counts.both)).sum()
        iou = (weights * counts.both).sum() / union.clamp(min=SMALLEST)
        return (1 - iou) * counts.true.any()
