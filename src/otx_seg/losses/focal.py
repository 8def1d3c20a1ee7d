"""Focal loss of a softmax."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from otx_seg.labels import IGNORE_INDEX
from otx_seg.loss_parts.label_weighted import LabelWeighted, mean_of_labelled
from otx_seg.loss_parts.precision import widened


class Focal(LabelWeighted):
    """Mean over the labelled pixels of -w (1 - p)^gamma log p, with p the probability of the true label.

    Lin et al. 2017, "Focal loss for dense object detection", equation 5, for labels that exclude each other.
    """

    def __init__(self, label_weights: Sequence[float], gamma: float = 2.0) -> None:
        """
        Args:
            label_weights: w of each label, above 0, in index order.
            gamma: 0 or more; 0 is the cross-entropy.

        Raises:
            ValueError: gamma is negative.
        """
        super().__init__(label_weights)
        if gamma < 0:
            raise ValueError(f"gamma must be 0 or more, not {gamma}")
        self.gamma = gamma

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compare scores with the truth.

        Args:
            logits: (B, K, H, W) floating point of any width; computed in float32 at least.
            target: (B, H, W) integer, values 0..K-1, or 255 where a pixel does not count.

        Returns:
            scalar, float32 at least, >= 0; 0 with a gradient of zeros when every pixel is ignored.
        """
        counted = target != IGNORE_INDEX
        labels = target.long().masked_fill(~counted, 0)
        log_p = functional.log_softmax(widened(logits), dim=1).gather(1, labels[:, None])[:, 0]
        # expm1 keeps 1 - p exact, and its power differentiable, where p is 1 up to rounding.
        rest = -torch.expm1(log_p).clamp(max=-torch.finfo(torch.float32).tiny)
        losses = -self.label_weights[labels] * rest.pow(self.gamma) * log_p
        return mean_of_labelled(losses * counted, target)
