"""How much the pixels of each label count: rules from the literature that give rare labels larger weights."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_PROTOTYPES = 100
"""What Cui et al. call the volume of a label: this many images full of it teach all there is to learn about it, so
that their beta is 1 - 1/100."""


@dataclass(frozen=True)
class LabelStatistics:
    """How much there is of each label in the training masks.

    Attributes:
        shares: share of each label among the labelled pixels, 0..1, in index order.
        frequencies: share of each label among the labelled pixels of the images that show it, 0..1.
        images: number of images.
    """

    shares: tuple[float, ...]
    frequencies: tuple[float, ...]
    images: int


def class_weights(rule: str, found: LabelStatistics) -> tuple[float, ...]:
    """A weight for each label; their mean over all training pixels is 1, so the learning rate need not change.

    - ``none``: 1.
    - ``inverse_root``: 1 / sqrt(share).
    - ``median_frequency``: median of the frequencies / frequency (Eigen & Fergus 2015).
    - ``effective_number``: (1 - beta) / (1 - beta^n) (Cui et al. 2019), with n the label's pixels in units of the
      mean image's pixels and beta = 0.99.
    - numbers with commas between them, such as ``1,2,0.5``: these, in the order of the labels, up to their mean.

    A label without training pixels, which no rule can say anything about, gets the weight 1.

    Raises:
        ValueError: an unknown rule; numbers that are not positive, or of which there are not as many as labels.
    """
    shares = found.shares
    if re.fullmatch(r"[a-z_]+", rule):
        if rule not in _RULES:
            raise ValueError(f"{rule!r} is not {', '.join(_RULES)} or a list of numbers")
        present = [label for label, share in enumerate(shares) if share > 0]
        weights = [1.0] * len(shares)
        for label, weight in zip(present, _RULES[rule](found, present), strict=True):
            weights[label] = weight
    else:
        weights = parse_weights(rule)
        present = [label for label, share in enumerate(shares) if share > 0]
        if len(weights) != len(shares):
            raise ValueError(f"{len(weights)} weights for {len(shares)} labels")
    mean = sum(shares[label] * weights[label] for label in present)
    kept = set(present)
    return tuple(weight / mean if label in kept else 1.0 for label, weight in enumerate(weights))


def parse_weights(text: str) -> list[float]:
    """Read ``1,2,0.5``.

    Raises:
        ValueError: something in it is no positive number.
    """
    try:
        weights = [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{text!r} is not {', '.join(_RULES)} or a list of numbers such as 1,2,0.5") from None
    if not all(weight > 0 and math.isfinite(weight) for weight in weights):
        raise ValueError(f"{text!r}: every weight must be a positive number")
    return weights


def _inverse_root(found: LabelStatistics, present: list[int]) -> list[float]:
    return [found.shares[label] ** -0.5 for label in present]


def _median_frequency(found: LabelStatistics, present: list[int]) -> list[float]:
    middle = statistics.median(found.frequencies[label] for label in present) if present else 1.0
    return [middle / found.frequencies[label] for label in present]


def _effective_number(found: LabelStatistics, present: list[int]) -> list[float]:
    beta = 1 - 1 / _PROTOTYPES
    return [(1 - beta) / (1 - beta ** (found.shares[label] * found.images)) for label in present]


_RULES: dict[str, Callable[[LabelStatistics, list[int]], Sequence[float]]] = {
    "none": lambda found, present: [1.0] * len(present),
    "inverse_root": _inverse_root,
    "median_frequency": _median_frequency,
    "effective_number": _effective_number,
}
RULES = tuple(_RULES)
