"""Cross-entropy of the pixels that the network is not sure about."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from otx_seg.labels import IGNORE_INDEX
from otx_seg.loss_parts.label_weighted import LabelWeighted


class OhemCrossEntropy(LabelWeighted):
    """The mean cross-entropy of the labelled pixels whose true label has a probability below `threshold`.

    Online hard example mining (Shrivastava, Gupta & Girshick 2016) as BiSeNet, STDC and DDRNet use it: where fewer
    than `share` of the labelled pixels are that hard, the hardest `share` of them count.
    """

    def __init__(self, label_weights: Sequence[float], threshold: float = 0.7, share: float = 0.1) -> None:
        """
        Args:
            label_weights: a factor of each pixel's loss by its label, above 0, in index order; which pixels are hard
                does not depend on it.
            threshold: probability, above 0, up to 1.
            share: of the labelled pixels, above 0, up to 1; one pixel at least counts.

        Raises:
            ValueError: a number is out of its range.
        """
        super().__init__(label_weights)
        for name, value in (("threshold", threshold), ("share", share)):
            if not 0 < value <= 1:
                raise ValueError(f"{name} must be above 0, up to 1, not {value}")
        self.least, self.share = -math.log(threshold), share

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compare scores with the truth.

        Args:
            logits: (B, K, H, W) floating point of any width; computed in float32 at least.
            target: (B, H, W) integer, values 0..K-1, or 255 where a pixel does not count.

        Returns:
            scalar, float32 at least, >= 0; 0 with a gradient of zeros when every pixel is ignored.
        """
        every = self.cross_entropies(logits, target, weighted=False)
        counted = target != IGNORE_INDEX
        losses, weights = every[counted], self.label_weights[target[counted].long()]
        if not losses.numel():
            return 0 * every.sum()
        count = max(1, int(self.share * losses.numel() + 1e-6))
        hardest = losses.topk(count).values[-1]
        # More than `count` pixels are above the threshold if the last of the hardest is.
        hard = losses > self.least if hardest > self.least else losses >= hardest
        return (losses * weights)[hard].mean()
