"""Mean and spread of scores over the folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

from otx_seg.labels import Labels
from otx_seg.metrics.confusion import Scores

DICE_AVERAGE = "Dice Average"


@dataclass(frozen=True)
class Spread:
    """A score over some folds.

    Attributes:
        mean: of the folds that have it, 0..1.
        standard_deviation: of a fold's score, with n - 1 in the denominator; None if just one has it.
        folds: how many have it.
    """

    mean: float
    standard_deviation: float | None
    folds: int


@dataclass(frozen=True)
class FoldScores:
    """The scores of a cross-validation.

    Attributes:
        averages: of the scores over all labels, under the names of ``performance.json``.
        per_label: of each label that some fold shows, by its name: ``dice``, ``iou``, ``precision`` and ``recall``.
    """

    averages: dict[str, Spread]
    per_label: dict[str, dict[str, Spread]]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def over_folds(scores: Sequence[Scores], labels: Labels) -> FoldScores:
    """Mean and spread of the scores of folds.

    A label counts in the folds whose images show it; a fold that shows background alone has no Dice average.

    Args:
        scores: of each fold, at least one.
        labels: of all of them.
    """
    plain = [found.as_json() for found in scores]
    foreground = {labels.names[index] for index in labels.foreground}
    shows_some = [bool(foreground & found.per_label.keys()) for found in scores]
    averages = {}
    for name in (key for key, value in plain[0].items() if isinstance(value, float)):
        counted = shows_some if name == DICE_AVERAGE else [True] * len(plain)
        averages[name] = _spread([found[name] for found, counts in zip(plain, counted, strict=True) if counts])
    per_label = {}
    for label in labels.names:
        shown = [found["per_label"][label] for found in plain if label in found["per_label"]]
        if shown:
            per_label[label] = {
                name: _spread([found[name] for found in shown]) for name in ("dice", "iou", "precision", "recall")
            }
    return FoldScores(averages, per_label)


def _spread(values: Sequence[float]) -> Spread:
    if not values:
        return Spread(0.0, None, 0)
    return Spread(fmean(values), stdev(values) if len(values) > 1 else None, len(values))
