"""Dice with labels weighted by the inverse of their area."""

from __future__ import annotations

from torch import Tensor, nn

from otx_seg.loss_parts.overlap import SMALLEST, overlap


class GeneralisedDice(nn.Module):
    """1 - 2 sum_k w_k sum(p t) / sum_k w_k (sum(p) + sum(t)), with w_k = 1 / (pixels of label k)^2.

    Sudre et al. 2017, "Generalised Dice overlap as a deep learning loss function". A label that no pixel of the batch
    has gets the weight 0.
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
        size = (weights * (counts.predicted + counts.true)).sum()
        dice = 2 * (weights * counts.both).sum() / size.clamp(min=SMALLEST)
        return (1 - dice) * counts.true.any()


def inverse_area(pixels: Tensor) -> Tensor:
    """The weight of each label, (K,), up to a common factor that makes the largest 1."""
    smallest = pixels.where(pixels > 0, pixels.max()).min()
    return (smallest / pixels.clamp(min=1)).square() * (pixels > 0)
