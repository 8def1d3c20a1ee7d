"""Pixel-wise cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from otx_seg.loss_parts.label_weighted import LabelWeighted, mean_of_labelled


class CrossEntropy(LabelWeighted):
    """Mean over the labelled pixels of -w log softmax(logits)[true label].

    Without weights a network that trains for minutes leaves out labels of a percent or less altogether.
    """

    def __init__(
        self, label_weights: Sequence[float], label_smoothing: float = 0.0, weighted_share: float = 1.0
    ) -> None:
        """
        Args:
            label_weights: w of each label, above 0, in index order; see `otx_seg.class_weights`.
            label_smoothing: this share of each pixel is spread evenly over all labels, 0..1, below 1 (Szegedy et al.
                2016, "Rethinking the Inception architecture", section 7).
            weighted_share: share of the steps that use the weights, drawn at random, 0..1; in the others w is 1.

        Raises:
            ValueError: a share is out of its range.
        """
        super().__init__(label_weights)
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing must be from 0 to below 1, not {label_smoothing}")
        if not 0 <= weighted_share <= 1:
            raise ValueError(f"weighted_share must be from 0 to 1, not {weighted_share}")
        self.label_smoothing, self.weighted_share = label_smoothing, weighted_share

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compare scores with the truth.

        Args:
            logits: (B, K, H, W) floating point of any width; computed in float32 at least.
            target: (B, H, W) integer, values 0..K-1, or 255 where a pixel does not count.

        Returns:
            scalar, float32 at least, >= 0, natural logarithm; 0 with a gradient of zeros when every pixel is ignored.
        """
        is_weighted = self.weighted_share == 1 or float(torch.rand(())) < self.weighted_share
        losses = self.cross_entropies(logits, target, is_weighted, self.label_smoothing)
        return mean_of_labelled(losses, target)
