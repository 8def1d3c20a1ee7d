"""Tversky loss: Dice in which a missed pixel may count more than a wrong one."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from otx_seg.loss_parts.overlap import MeanOverLabels, overlap


class Tversky(nn.Module):
    """1 - the mean over the labels of (TP + s) / (TP + a FP + b FN + s), from probabilities.

    Salehi, Erdogmus & Gholipour 2017, "Tversky loss function for image segmentation using 3D fully convolutional deep
    networks". The sums go over the labelled pixels of the whole batch; a = b = 0.5 is Dice, a = b = 1 is IoU.
    """

    def __init__(
        self,
        false_positives: float = 0.3,
        false_negatives: float = 0.7,
        smooth: float = 1.0,
        absent: bool = False,
        label_weights: Sequence[float] | None = None,
    ) -> None:
        """
        Args:
            false_positives: a, above 0.
            false_negatives: b, above 0.
            smooth: s, in pixels, above 0.
            absent: whether labels that no pixel of the batch has belong to the mean.
            label_weights: a factor of each label's term, in index order.

        Raises:
            ValueError: a number is not above 0.
        """
        super().__init__()
        for name, value in (
            ("false_positives", false_positives),
            ("false_negatives", false_negatives),
            ("smooth", smooth),
        ):
            if value <= 0:
                raise ValueError(f"{name} must be above 0, not {value}")
        self.false_positives, self.false_negatives, self.smooth = false_positives, false_negatives, smooth
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
        wrong = self.false_positives * (counts.predicted - counts.both)
        missed = self.false_negatives * (counts.true - counts.both)
        hit = counts.both + self.smooth
        return self.mean(hit / (hit + wrong + missed), counts.true)
