"""Cross-entropy of the pixels with the largest losses."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from otx_seg.labels import IGNORE_INDEX
from otx_seg.loss_parts.label_weighted import LabelWeighted


class TopK(LabelWeighted):
    """The mean of the largest `share` of the cross-entropies of the labelled pixels of a batch.

    Wu, Shen & van den Hengel 2016, "Bridging category-level and instance-level semantic image segmentation", section
    2; nnU-Net has it. The share is one of the labelled pixels, so that ignored ones do not dilute it.
    """

    def __init__(self, label_weights: Sequence[float], share: float = 0.1) -> None:
        """
        Args:
            label_weights: a factor of each pixel's loss by its label, above 0, in index order.
            share: above 0, up to 1; one pixel at least counts.

        Raises:
            ValueError: the share is out of its range.
        """
        super().__init__(label_weights)
        if not 0 < share <= 1:
            raise ValueError(f"share must be above 0, up to 1, not {share}")
        self.share = share

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compare scores with the truth.

        Args:
            logits: (B, K, H, W) floating point of any width; computed in float32 at least.
            target: (B, H, W) integer, values 0..K-1, or 255 where a pixel does not count.

        Returns:
            scalar, float32 at least, >= 0; 0 with a gradient of zeros when every pixel is ignored.
        """
        losses = self.cross_entropies(logits, target)
        labelled = losses[target != IGNORE_INDEX]
        if not labelled.numel():
            return 0 * losses.sum()
        # Half a pixel is rounded down, but for what floating point makes of a whole number.
        count = max(1, int(self.share * labelled.numel() + 1e-6))
        return labelled.topk(count, sorted=False).values.mean()
