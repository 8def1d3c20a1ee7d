"""The values of metrics on a set of images, from which tables and files are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otx_seg.metrics.choice import USUAL
from otx_seg.metrics.definitions import LabelCounts, Metric, dice, iou

if TYPE_CHECKING:  # need torch, which tables do not
    from otx_seg.labels import Labels
    from otx_seg.metrics.confusion import Scores
    from otx_seg.metrics.counted_images import CountedImages


@dataclass(frozen=True)
class Measured:
    """What one metric says of a set of images; every value is 0..1.

    Attributes:
        metric: which.
        per_label: by label name, only labels that have ground-truth pixels; none for a metric of all labels.
        mean: over the labels other than background; of a metric of all labels its value. None where there is none.
        with_background: the mean with background among the labels; None where there is none.
    """

    metric: Metric
    per_label: dict[str, float]
    mean: float | None
    with_background: float | None

    def as_json(self) -> Any:
        """Both means, or the one value."""
        if self.metric.of_label is None:
            return self.mean
        return {"mean": self.mean, "with_background": self.with_background}


def usual(scores: Scores) -> tuple[Measured, ...]:
    """What is shown without being asked for, as far as scores have it."""
    averages = scores.as_json()
    return tuple(
        Measured(
            metric,
            {name: of_label(score.counts) for name, score in scores.per_label.items()} if of_label else {},
            *(averages[key] if key else None for key in (metric.mean_key, metric.background_key)),
        )
        for metric, of_label in ((metric, metric.of_label) for metric in USUAL.shown)
    )


def measured(counted: CountedImages, metric: Metric) -> Measured:
    """One metric on all images together. A label without ground-truth pixels, or without any in the boundary band where
    a metric is about these, has no value and enters no mean."""
    names, background = counted.labels.names, counted.labels.background
    counts = [LabelCounts(*row) for row in counted.counts(metric).sum(dim=0).tolist()]
    shown = [index for index in range(len(names)) if counts[index].true]
    averaged = [index for index in shown if names[index] not in counted.left_out]
    everything = metric.over([counts[index] for index in averaged])
    if metric.of_label is None:
        return Measured(metric, {}, everything, None)
    return Measured(
        metric,
        {names[index]: metric.of_label(counts[index]) for index in shown},
        metric.over([counts[index] for index in averaged if index != background]),
        None if background is not None and names[background] in counted.left_out else everything,
    )


def of_two_labels(scores: Scores, labels: Labels) -> dict[str, dict[str, float | None]]:
    """Dice and IoU of two labels under the names that programs for binary segmentation give them.

    Args:
        labels: two. Background is the one that is so by its name, else the first; the other one is the target.

    Returns:
        by ``dice`` and ``iou``: ``target``, ``background`` and their ``mean``, 0..1; None without true pixels.
    """
    background = labels.background or 0
    found = [scores.per_label.get(labels.names[index]) for index in (1 - background, background)]

    def named(of_label: Callable[[LabelCounts], float]) -> dict[str, float | None]:
        target, rest = (None if label is None else of_label(label.counts) for label in found)
        shown = [value for value in (target, rest) if value is not None]
        return {"target": target, "background": rest, "mean": sum(shown) / len(shown) if shown else None}

    return {"dice": named(dice), "iou": named(iou)}
