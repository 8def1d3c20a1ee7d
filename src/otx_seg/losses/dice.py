"""Soft Dice loss."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from otx_seg.loss_parts.overlap import MeanOverLabels, overlap


class Dice(nn.Module):
    """1 - the mean over the labels of (2 sum(p t) + s) / (sum(p^2) + sum(t^2) + s), p probability, t truth.

    The sums go over the labelled pixels of the whole batch, so that a label of a few images is not lost. As it stands
    it is that of Milletari, Navab & Ahmadi 2016, "V-Net", for labels that the batch has: the term of any other would be
    1 whatever the network says. Other forms:

    - nnU-Net (Isensee et al. 2021): ``squared: false, absent: true, background: false``.
    - super-gradients: ``squared: false, absent: true, smooth: 1``.
    """

    def __init__(
        self,
        squared: bool = True,
        smooth: float = 0.0,
        absent: bool = False,
        background: bool = True,
        label_weights: Sequence[float] | None = None,
    ) -> None:
        """
        Args:
            squared: whether the denominator has the squares of p; else p itself.
            smooth: s, in pixels, 0 or more.
            absent: whether labels that no pixel of the batch has belong to the mean.
            background: whether label 0 belongs to it.
            label_weights: a factor of each label's term, in index order.

        Raises:
            ValueError: s is negative.
        """
        super().__init__()
        if smooth < 0:
            raise ValueError(f"smooth must be 0 or more, not {smooth}")
        self.squared, self.smooth = squared, smooth
        self.mean = MeanOverLabels(absent, background, label_weights)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compare scores with the truth.

        Args:
            logits: (B, K, H, W) floating point of any width; computed in float32 at least.
            target: (B, H, W) integer, values 0..K-1, or 255 where a pixel does not count.

        Returns:
            scalar, float32 at least, 0..1 times the weights; 0 with a gradient of zeros when every pixel is ignored.

        Raises:
            ValueError: the background is left out, and there is no other label.
        """
        counts = overlap(logits, target, self.squared)
        return self.mean(counts.dice(self.smooth), counts.true)
