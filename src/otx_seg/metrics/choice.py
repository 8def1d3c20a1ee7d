"""What is to be measured: which metrics, and the means of which labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from otx_seg.catalogue import nearest
from otx_seg.errors import UsageError
from otx_seg.labels import Labels
from otx_seg.metrics.definitions import METRICS, Metric

BOUNDARY_WIDTH = 0.02
"""Of the boundary bands, as a share of the image's diagonal: that of Cheng et al. 2021 for COCO."""


@dataclass(frozen=True)
class MetricChoice:
    """What is to be measured; see `choose_metrics`.

    Attributes:
        metrics: those asked for; empty: the usual ones.
        left_out: names of labels that enter no average.
        boundary_width: of the boundary bands, as a share of the image's diagonal.
    """

    metrics: tuple[Metric, ...] = ()
    left_out: tuple[str, ...] = ()
    boundary_width: float = BOUNDARY_WIDTH

    @property
    def shown(self) -> tuple[Metric, ...]:
        """The metrics asked for, or else the usual ones."""
        return self.metrics or tuple(metric for metric in METRICS.values() if metric.usual)

    @property
    def needs_boundaries(self) -> bool:
        """Whether the pixels of the boundary bands are to be counted."""
        return any(metric.boundary for metric in self.metrics)


USUAL = MetricChoice()


def choose_metrics(
    metrics: str | Sequence[str] | None,
    without_labels: str | Sequence[str] | None,
    boundary_width: float | None,
    labels: Labels,
) -> MetricChoice:
    """Read what a user asks for.

    Args:
        metrics: names, one by one or in a text with commas between them; None: the usual metrics.
        without_labels: names of labels to leave out of every average, given in the same way; None: none.
        boundary_width: above 0, at most 1; None: `BOUNDARY_WIDTH`.
        labels: of the model.

    Raises:
        UsageError: an unknown or missing name, no label left but the background, or a width that is out of range or of
            no effect.
    """
    left_out = _names("--without-labels", without_labels, labels.names)
    if left_out and all(labels.names[index] in left_out for index in labels.foreground):
        raise UsageError("--without-labels: no label other than the background is left to take a mean of; name fewer")
    choice = MetricChoice(tuple(METRICS[name] for name in _names("--metrics", metrics, list(METRICS))), left_out)
    if boundary_width is None:
        return choice
    if not choice.needs_boundaries:
        raise UsageError("--boundary-width: has no effect without --metrics boundary_iou")
    if not 0 < boundary_width <= 1:
        raise UsageError(
            f"--boundary-width: a share of the image's diagonal, above 0 and at most 1: {boundary_width:g}"
        )
    return MetricChoice(choice.metrics, left_out, boundary_width)


def _names(option: str, given: str | Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    """The names that an option got, each once."""
    if given is None:
        return ()
    names = [name.strip() for name in given.split(",")] if isinstance(given, str) else list(given)
    if not names or "" in names:
        raise UsageError(f"{option}: a name is missing; {nearest('', list(known))}")
    for name in names:
        if name not in known:
            raise UsageError(f"{option} {name}: unknown; {nearest(name, list(known))}")
    return tuple(dict.fromkeys(names))
