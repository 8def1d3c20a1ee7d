"""Pixel-wise cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from otx_seg.labels import IGNORE_INDEX


class CrossEntropy(nn.Module):
    """Mean over the labelled pixels of -w log softmax(logits)[true label], where rare labels have a larger w.

    With s the share of a label in the training pixels, w = s^-p / sum over the labels of s^(1-p): its mean over all
    training pixels is 1, so that the learning rate need not follow p. Without weights (p = 0) a network that trains for
    minutes leaves out labels of a percent or less altogether; with p = 1 each label counts the same.
    """

    def __init__(self, label_shares: Sequence[float], rarity_power: float) -> None:
        """
        Args:
            label_shares: share of each label among the labelled training pixels, 0..1, in index order; a label of
                share 0, which the training does not meet, gets the weight 1.
            rarity_power: p, 0..1.

        Raises:
            ValueError: p is out of range.
        """
        super().__init__()
        if not 0 <= rarity_power <= 1:
            raise ValueError(f"rarity_power={rarity_power}: must be 0 to 1")
        shares = torch.tensor(label_shares, dtype=torch.float64)
        present = shares > 0
        weights = torch.ones_like(shares)
        weights[present] = shares[present] ** -rarity_power / (shares[present] ** (1 - rarity_power)).sum()
        self.label_weights: Tensor
        # Not persistent: it follows from the data, and a state dict holds what was learned.
        self.register_buffer("label_weights", weights.float(), persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compare scores with the truth.

        Args:
            logits: (B, K, H, W) floating point of any width; computed in float32.
            target: (B, H, W) integer, values 0..K-1, or 255 where a pixel does not count.

        Returns:
            float32 scalar >= 0, natural logarithm; 0 with a gradient of zeros when every pixel is ignored.
        """
        total = functional.cross_entropy(
            logits.float(), target.long(), self.label_weights, ignore_index=IGNORE_INDEX, reduction="sum"
        )
        return total / (target != IGNORE_INDEX).sum().clamp(min=1)
