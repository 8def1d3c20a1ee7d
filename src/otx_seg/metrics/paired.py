"""Whether one network is better than another, or only luckier with the images that both were scored on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
        return f"{relation} the noise of {count(self.images, 'image')} (standard error {self.error_in_words})"

    @property
    def error_in_words(self) -> str:
        """The standard error in Dice, or that there is none."""
        return "unknown" if math.isinf(self.standard_error) else f"{self.standard_error:.4f}"

    def as_json(self) -> dict[str, Any]:
        """Plain values; the standard error is None where it is infinite."""
        error = None if math.isinf(self.standard_error) else self.standard_error
        return {"difference": self.difference, "standard_error": error, "images": self.images}


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
    first, changes = dice_average(one, foreground)
    second, other_changes = dice_average(other, foreground)
    return PairedDifference(first - second, standard_error(changes, other_changes), len(one))


def standard_error(one: Tensor, other: Tensor) -> float:
    """That of the difference of two averages, from what each of the same images changes in them; see
    `paired_difference`."""
    images = len(one)
    return math.sqrt((one - other).square().sum().item() * images / (images - 1)) if images > 1 else math.inf


def dice_average(counts: Tensor, labels: Sequence[int]) -> tuple[float, Tensor]:
    """The mean Dice of these labels, and by how much each of the N images changes it, float64 (N,); see
    `paired_difference`."""
    chosen = counts[:, list(labels)].double()
    chosen = chosen[:, chosen[..., 1].sum(dim=0) > 0]  # labels of the truth
    agreed, sizes = 2 * chosen[..., 0], chosen[..., 1] + chosen[..., 2]
    if not chosen.shape[1]:
        return 0.0, torch.zeros(len(counts), dtype=torch.float64)
    total = sizes.sum(dim=0)
    dice = agreed.sum(dim=0) / total
    return dice.mean().item(), ((agreed - dice * sizes) / total).mean(dim=1)
