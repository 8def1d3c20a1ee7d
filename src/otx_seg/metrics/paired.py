"""Whether one network is better than another, or only luckier with the images that both were scored on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from otx_seg.labels import Labels
from otx_seg.metrics.watched import WatchedMetric
from otx_seg.words import count

NOISE = 2.0
"""Standard errors that a difference has to exceed to be more than noise."""

FEW_IMAGES = 10
"""Fewer prove little: their standard error is itself off by about 1 / sqrt(2 (N - 1)), a quarter and more (of normal
values), and two of them are exceeded by chance more often than in one of 13 cases (Student's t)."""


@dataclass(frozen=True)
class PairedDifference:
    """How much higher a metric of one network is than that of another, on the same images.

    Attributes:
        difference: of the two values, -1..1.
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
        images = count(self.images, "image")
        if self.images < FEW_IMAGES and not self.is_noise:
            return f"more than two standard errors ({self.error_in_words}), though {images} prove little"
        relation = "within" if self.is_noise else "beyond"
        return f"{relation} the noise of {images} (standard error {self.error_in_words})"

    @property
    def error_in_words(self) -> str:
        """The standard error, or that there is none."""
        return "unknown" if math.isinf(self.standard_error) else f"{self.standard_error:.4f}"

    def as_json(self) -> dict[str, Any]:
        """Plain values; the standard error is None where it is infinite."""
        error = None if math.isinf(self.standard_error) else self.standard_error
        return {"difference": self.difference, "standard_error": error, "images": self.images}


def paired_difference(one: Tensor, other: Tensor, metric: WatchedMetric, labels: Labels) -> PairedDifference:
    """Compare two networks.

    A metric is a function of sums over images. To first order an image changes it by its own part of these sums times
    the derivatives by them: for the Dice of a label, 2 sum(I) / sum(T + P), by (2 I - Dice (T + P)) / sum(T + P), the
    linearised estimator of the variance of a ratio (Cochran, Sampling Techniques, 1977, section 6.4). What an image
    changes in the difference of two values is the difference of what it changes in each, and the variance of a sum of
    N such terms is N / (N - 1) times the sum of their squares.

    Args:
        one, other: counts (N, K, 3) of the same images, see `PixelCounts`.
        metric: what is compared; labels that the truth does not show do not count.
        labels: the K labels.
    """
    first, changes = measured(one, metric, labels)
    second, other_changes = measured(other, metric, labels)
    return PairedDifference(first - second, standard_error(changes, other_changes), len(one))


def standard_error(one: Tensor, other: Tensor) -> float:
    """That of the difference of two values, from what each of the same images changes in them; see
    `paired_difference`."""
    images = len(one)
    return math.sqrt((one - other).square().sum().item() * images / (images - 1)) if images > 1 else math.inf


def measured(counts: Tensor, metric: WatchedMetric, labels: Labels) -> tuple[float, Tensor]:
    """The value of a metric, and by how much each of the N images changes it, float64 (N,); see
    `paired_difference`."""
    totals = counts.sum(dim=0)
    shown = [label for label in metric.counted(labels) if totals[label, 1] > 0]
    if not shown:
        return 0.0, torch.zeros(len(counts), dtype=torch.float64)
    with torch.enable_grad():
        sums = totals[shown].double().requires_grad_()
        value = metric.ratio(*sums.unbind(dim=1))
    # The metric stays the same if all sums grow alike, so these changes add up to 0 (Euler).
    (slopes,) = torch.autograd.grad(value, sums)
    return value.item(), (counts[:, shown] * slopes).sum(dim=(1, 2))
