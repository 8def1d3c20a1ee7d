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
        pixels: number of pixels of each label, in index order.
        around: number of labelled pixels of the images that show it, in index order.
        images: number of images.
    """

    pixels: tuple[int, ...]
    around: tuple[int, ...]
    images: int

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of each label among the labelled pixels, 0..1; all 0 when none is labelled."""
        total = max(1, sum(self.pixels))
        return tuple(pixels / total for pixels in self.pixels)

    @property
    def frequencies(self) -> tuple[float, ...]:
        """Share of each label among the labelled pixels of the images that show it, 0..1."""
        return tuple(pixels / max(1, around) for pixels, around in zip(self.pixels, self.around, strict=True))


def class_weights(rule: str, found: LabelStatistics) -> tuple[float, ...]:
    """A weight for each label; their mean over all training pixels is 1, so the learning rate need not change.

    Args:
        rule: one of `RULES`, or numbers with commas between them, such as ``1,2,0.5``: these, in the order of the
            labels, up to their mean.

    Returns:
        in index order. A label without training pixels, which no rule can say anything about, gets the weight 1.

    Raises:
        ValueError: an unknown rule; numbers that are not positive, or of which there are not as many as labels.
    """
    shares = found.shares
    present = [label for label, share in enumerate(shares) if share > 0]
    if re.fullmatch(r"[a-z_]+", rule):
        if rule not in RULES:
            raise ValueError(f"{rule!r} is not {', '.join(RULES)} or a list of numbers")
        weights = [1.0] * len(shares)
        for label, weight in zip(present, RULES[rule].weights(found, present), strict=True):
            weights[label] = weight
    else:
        weights = parse_weights(rule)
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
        raise ValueError(f"{text!r} is not {', '.join(RULES)} or a list of numbers such as 1,2,0.5") from None
    if not all(weight > 0 and math.isfinite(weight) for weight in weights):
        raise ValueError(f"{text!r}: every weight must be a positive number")
    return weights


def _of_shares(weight: Callable[[float], float]) -> Callable[[LabelStatistics, list[int]], Sequence[float]]:
    """A rule that knows the share of a label, and nothing else."""
    return lambda found, present: [weight(found.shares[label]) for label in present]


def _inverse_log(found: LabelStatistics, present: list[int]) -> list[float]:
    # A label of a single pixel counts as if it had two: its logarithm is 0.
    return [1 / math.log(max(2, found.pixels[label])) for label in present]


def _median_frequency(found: LabelStatistics, present: list[int]) -> list[float]:
    middle = statistics.median(found.frequencies[label] for label in present) if present else 1.0
    return [middle / found.frequencies[label] for label in present]


def _effective_number(found: LabelStatistics, present: list[int]) -> list[float]:
    beta = 1 - 1 / _PROTOTYPES
    return [(1 - beta) / (1 - beta ** (found.shares[label] * found.images)) for label in present]


def _effective_pixels(found: LabelStatistics, present: list[int]) -> list[float]:
    middle = statistics.median_low(found.pixels[label] for label in present) if present else 1
    return [1 / -math.expm1(found.pixels[label] * math.log1p(-1 / max(2, middle))) for label in present]


@dataclass(frozen=True)
class Rule:
    """One way to weigh labels.

    Attributes:
        meaning: in a few words, for the parameter's help.
        weights: of the given labels, which have pixels, up to a common factor.
    """

    meaning: str
    weights: Callable[[LabelStatistics, list[int]], Sequence[float]]


RULES: dict[str, Rule] = {
    "none": Rule("all labels equal", _of_shares(lambda share: 1.0)),
    "inverse_root": Rule("1 / sqrt of the label's share of the pixels", _of_shares(lambda share: share**-0.5)),
    "inverse": Rule("1 / share (also called balanced)", _of_shares(lambda share: 1 / share)),
    "inverse_log": Rule("1 / log of the number of pixels", _inverse_log),
    "one_minus_share": Rule("1 - share", _of_shares(lambda share: max(1 - share, 1e-6))),
    "erfnet": Rule("1 / log(1.02 + share) (Romera 2018)", _of_shares(lambda share: 1 / math.log(1.02 + share))),
    "median_frequency": Rule("1 / share among the images that show the label (Eigen & Fergus 2015)", _median_frequency),
    "effective_number": Rule("1 / (1 - 0.99^n), n in images full of the label (Cui 2019)", _effective_number),
    "effective_pixels": Rule("1 / (1 - b^n), n in pixels, b = 1 - 1 / their median (Cui 2019)", _effective_pixels),
}
