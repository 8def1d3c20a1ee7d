"""The figure that networks are compared by: the one that `learning_parameters.watch` names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

from otx_seg.catalogue import nearest
from otx_seg.errors import UsageError
from otx_seg.labels import Labels

if TYPE_CHECKING:  # needs torch, which the template does not
    from torch import Tensor

    from otx_seg.metrics.confusion import Scores

OF_LABEL = "dice:"
"""Before the name of a label: its Dice alone."""


@dataclass(frozen=True)
class WatchedMetric:
    """A figure, 0..1, that is higher for the better network.

    Attributes:
        key: what `learning_parameters.watch` calls it.
        name: what people are told.
        meaning: in a few words.
        of: its value among scores.
        ratio: the same from pixels, float tensors (L,) of the agreed, the true and the predicted pixels of the counted
            labels that the truth shows, see `PixelCounts`. It stays the same if all of them are multiplied.
        counted: the indices of the labels that it is about. Raises ValueError: there is none of its name.
    """

    key: str
    name: str
    meaning: str
    of: Callable[[Scores], float]
    ratio: Callable[[Tensor, Tensor, Tensor], Tensor]
    counted: Callable[[Labels], Sequence[int]]


def metric_named(key: str) -> WatchedMetric:
    """The metric of `WATCHED` of this name, or that of a label after ``dice:``.

    Raises:
        ValueError: there is none.
    """
    if key.startswith(OF_LABEL) and key != OF_LABEL:
        label = key.removeprefix(OF_LABEL)
        of, counted = partial(_dice_of, label=label), partial(_single, label=label)
        return WatchedMetric(key, f"{label!r} Dice", f"Dice of {label!r}", of, _dice, counted)
    if key not in WATCHED:
        raise ValueError(f"known are {', '.join(WATCHED)}, and {OF_LABEL} with the name of a label")
    return WATCHED[key]


def metric_for(key: str, labels: Labels) -> WatchedMetric:
    """The metric of a name, for data with these labels.

    Raises:
        UsageError: it is about a label that is not among them.
    """
    metric = metric_named(key)
    try:
        metric.counted(labels)
    except ValueError as error:
        raise UsageError(f"learning_parameters.watch={key}: {error}") from error
    return metric


def _dice(agreed: Tensor, true: Tensor, predicted: Tensor) -> Tensor:
    return (2 * agreed / (true + predicted)).mean()


def _iou(agreed: Tensor, true: Tensor, predicted: Tensor) -> Tensor:
    return (agreed / (true + predicted - agreed)).mean()


def _weighted_iou(agreed: Tensor, true: Tensor, predicted: Tensor) -> Tensor:
    return (true * agreed / (true + predicted - agreed)).sum() / true.sum()


def _accuracy(agreed: Tensor, true: Tensor, predicted: Tensor) -> Tensor:
    return agreed.sum() / true.sum()


def _foreground(labels: Labels) -> Sequence[int]:
    return labels.foreground


def _every(labels: Labels) -> Sequence[int]:
    return range(len(labels))


def _single(labels: Labels, label: str) -> Sequence[int]:
    if label not in labels.names:
        raise ValueError(f"there is no label {label!r}; {nearest(label, list(labels.names))}")
    return (labels.names.index(label),)


def _dice_of(scores: Scores, label: str) -> float:
    return scores.per_label[label].dice if label in scores.per_label else 0.0


_MEANING = "mean Dice of the labels other than background"
DICE = WatchedMetric("dice", "Dice", _MEANING, attrgetter("dice_average"), _dice, _foreground)
M_DICE = WatchedMetric("dice_with_background", "mDice", "mean Dice of all labels", attrgetter("m_dice"), _dice, _every)
_OTHERS = (
    WatchedMetric("miou", "mIoU", "mean IoU of all labels", attrgetter("m_iou"), _iou, _every),
    WatchedMetric(
        "fw_iou",
        "fwIoU",
        "the same, weighted by their pixels in the ground truth",
        attrgetter("frequency_weighted_iou"),
        _weighted_iou,
        _every,
    ),
    WatchedMetric(
        "accuracy",
        "pixel accuracy",
        "share of the pixels with the right label",
        attrgetter("pixel_accuracy"),
        _accuracy,
        _every,
    ),
)
WATCHED = {metric.key: metric for metric in (DICE, M_DICE, *_OTHERS)}
"""Every metric that is not about a single label, by its key."""
