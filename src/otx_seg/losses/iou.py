"""Soft IoU (Jaccard) loss."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from otx_seg.loss_parts.overlap import MeanOverLabels, overlap


class Iou(nn.Module):
    """1 - the mean over the labels of (sum(p t) + s) / (sum(p) + sum(t) - sum(p t) + s).

    Rahman & Wang 2016, "Optimizing intersection-over-union in deep neural networks for image segmentation". The sums
    go over the labelled pixels of the whole batch.
    """

    def __init__(self, smooth: float = 0.0, absent: bool = False, label_weights: Sequence[float] | None = None) -> None:
        """
        Args:
            smooth: s, in pixels, 0 or more.
            absent: whether labels that no pixel of the batch has belong to the mean.
            label_weights: a factor of each label's term, in index order.

        Raises:
            ValueError: s is negative.
        """
        super().__init__()
        if smooth < 0:
            raise ValueError(f"smooth must be 0 or more, not {smooth}")
        self.smooth = smooth
        self.mean = MeanOverLabels(absent, True, label_weights)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compare scores with the truth.

        Args:
            logits: (B, K, H, W) floating point of any width; computed in float32 at least.
            target: (B, H, W) integer, values 0..K-1, or 255 where a pixel does not count.

        Returns:
            scalar, float32 at least, 0..1 times the weights; 0 with a gradient of zeros when every pixel is ignored.
        """
        counts = overlap(logits, target)
        return self.mean(counts.iou(self.smooth), counts.true)
