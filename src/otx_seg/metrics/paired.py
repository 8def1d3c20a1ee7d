"""Whether one network is better than another, or only luckier with the images that both were scored on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from otx_seg.words import count

NOISE = 2.0
"""Standard errors that a difference has to exceed to be more than noise."""


@dataclass(frozen=True)
class PairedDifference:
    """How much higher the Dice average of one network is than that of another, on the same images.

    Attributes:
        difference: of the two averages, -1..1.
        standard_error: of that difference, as other images of the same kind would change it; infinite for one image.
        images: how many there were.
    """

    difference: float
    standard_error: float
    images: int

    @property
    def is_noise(self) -> bool:
        """Whether the first network is not better, or not by more than noise."""
        return self.difference <= NOISE * self.standard_error

    def __str__(self) -> str:
        relation = "within" if self.is_noise else "beyond"
        return f"{relation} the noise of {count(self.images, 'image')} (standard error {self.standard_error:.4f})"


def paired_difference(one: Tensor, other: Tensor, foreground: Sequence[int]) -> PairedDifference:
    """Compare the Dice averages of two networks.

    The Dice of a label is a ratio of sums over images, 2 sum(I) / sum(T + P). To first order an image changes it by
    (2 I - Dice (T + P)) / sum(T + P): the linearised estimator of the variance of a ratio (Cochran, Sampling
    Techniques, 1977, section 6.4). What an image changes in the difference of the two averages is the difference of
    what it changes in each, and the variance of a sum of N such terms is N / (N - 1) times the sum of their squares.

    Args:
        one, other: counts (N, K, 3) of the same images, see `PixelCounts`.
        foreground: the labels whose Dice is averaged; those that the truth does not show do not count.
    """
    first, first_shares = _dice_average(one, foreground)
    second, second_shares = _dice_average(other, foreground)
    images = len(one)
    spread = (first_shares - second_shares).square().sum().item()
    error = math.sqrt(spread * images / (images - 1)) if images > 1 else math.inf
    return PairedDifference(first - second, error, images)


def _dice_average(counts: Tensor, foreground: Sequence[int]) -> tuple[float, Tensor]:
    """The Dice average, and by how much each of the N images changes it."""
    chosen = counts[:, list(foreground)].double()
    chosen = chosen[:, chosen[..., 1].sum(dim=0) > 0]  # labels of the truth
    agreed, sizes = 2 * chosen[..., 0], chosen[..., 1] + chosen[..., 2]
    if not chosen.shape[1]:
        return 0.0, torch.zeros(len(counts), dtype=torch.float64)
    total = sizes.sum(dim=0)
    dice = agreed.sum(dim=0) / total
    return dice.mean().item(), ((agreed - dice * sizes) / total).mean(dim=1)
