"""The metrics of `otx eval`: name, title, one line of help and formula of each. Adding one is adding an entry.

This file imports no torch, so that `otx eval --help` lists them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class LabelCounts(NamedTuple):
    """Pixels of one label: those on which truth and prediction agree, those of the truth, those of the prediction."""

    agreed: int
    true: int
    predicted: int


@dataclass(frozen=True)
class Metric:
    """What one metric is.

    Attributes:
        name: in `--metrics`, ``performance.json`` and ``per_image.csv``.
        title: in tables.
        help: one line.
        of_label: its value for one label, 0..1; such a metric has a column of the table and a mean over labels.
        of_all: its one value for all labels of the truth, 0..1. Either this or `of_label` is given.
        column: name of the metric in whose column this one value stands; None: in the first.
        mean_key, background_key: keys of its means in every ``performance.json``, without and with background.
        boundary: whether its pixels are those of the boundary bands, see `otx_seg.metrics.boundary`.
        usual: whether it is shown without being asked for.
    """

    name: str
    title: str
    help: str
    of_label: Callable[[LabelCounts], float] | None = None
    of_all: Callable[[Sequence[LabelCounts]], float] | None = None
    column: str | None = None
    mean_key: str | None = None
    background_key: str | None = None
    boundary: bool = False
    usual: bool = True

    def over(self, labels: Sequence[LabelCounts]) -> float | None:
        """The mean over these labels, or the one value for all of them; None without labels."""
        if not labels:
            return None
        if self.of_all is not None:
            return self.of_all(labels)
        assert self.of_label is not None
        return sum(map(self.of_label, labels)) / len(labels)


def dice(counts: LabelCounts) -> float:
    """2 I / (T + P), with I the agreed, T the true and P the predicted pixels; 0 without any."""
    return _share(2 * counts.agreed, counts.true + counts.predicted)


def iou(counts: LabelCounts) -> float:
    """I / (T + P - I); 0 without any pixel."""
    return _share(counts.agreed, counts.true + counts.predicted - counts.agreed)


def precision(counts: LabelCounts) -> float:
    """I / P; 0 if nothing is predicted."""
    return _share(counts.agreed, counts.predicted)


def recall(counts: LabelCounts) -> float:
    """I / T; 0 without true pixels."""
    return _share(counts.agreed, counts.true)


def frequency_weighted_iou(labels: Sequence[LabelCounts]) -> float:
    """Mean IoU of these labels, weighted by their true pixels (Long, Shelhamer & Darrell 2015)."""
    return _share(sum(counts.true * iou(counts) for counts in labels), sum(counts.true for counts in labels))


def pixel_accuracy(labels: Sequence[LabelCounts]) -> float:
    """Share of the true pixels of these labels that are predicted so."""
    return _share(sum(counts.agreed for counts in labels), sum(counts.true for counts in labels))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


METRICS = {metric.name: metric for metric in (
    Metric(
        "dice", "Dice", "Twice the agreed pixels over true and predicted ones.",
        dice, mean_key="Dice Average", background_key="mDice",
    ),
    Metric("iou", "IoU", "Agreed pixels over those of truth or prediction.", iou, background_key="mIoU"),
    Metric("precision", "precision", "Share of the predicted pixels that are right.", precision),
    Metric("recall", "recall", "Share of the true pixels that are found.", recall, background_key="mAcc"),
    Metric(
        "fw_iou", "weighted by pixels", "Mean IoU weighted by the true pixels of each label.",
        of_all=frequency_weighted_iou, column="iou", mean_key="fwIoU",
    ),
    Metric("accuracy", "pixel accuracy", "Share of all pixels that are right.", of_all=pixel_accuracy, mean_key="aAcc"),
    Metric(
        "boundary_iou", "boundary IoU", "IoU of the pixels near the contours: how exact outlines are. Takes longer.",
        iou, boundary=True, usual=False,
    ),
)}  # fmt: skip
"""By name, in the order of tables and help texts."""
