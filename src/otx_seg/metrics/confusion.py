"""From a confusion matrix to Dice, IoU and pixel accuracy: the one place where scores are computed.

With I the pixels on which truth and prediction agree on a label, T its pixels in the truth and P its pixels in the
prediction, Dice = 2 I / (T + P) and IoU = I / (T + P - I). All sums run over a whole data set before any division.

A label without ground-truth pixels (T = 0) has no score: Dice and IoU would be undefined for P = 0 and 0 for any
P > 0, so one wrong pixel would change every mean. Pixels predicted for it are its false alarms. They count
against their true label, and in the pixel accuracy.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from otx_seg.labels import IGNORE_INDEX, Labels
from otx_seg.metrics.definitions import (
    LabelCounts,
    dice,
    frequency_weighted_iou,
    iou,
    pixel_accuracy,
    precision,
    recall,
)
from otx_seg.metrics.reliability import Reliability


def confusion_matrix(prediction: Tensor, target: Tensor, classes: int) -> Tensor:
    """Count the pixels of every pair (true label, predicted label).

    Args:
        prediction: integer tensor of any shape, values 0..classes-1.
        target: integer tensor of the same shape, values 0..classes-1; pixels with 255 are left out.
        classes: number of labels K, at most 255.

    Returns:
        int64 tensor (K, K), rows truth, columns prediction, on the device of `target`.

    Raises:
        ValueError: the shapes differ, or a value is not a label.
    """
    if prediction.shape != target.shape:
        raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ in shape")
    for name, values in (("prediction", prediction), ("target", target[target != IGNORE_INDEX])):
        if values.numel() and not 0 <= int(values.min()) <= int(values.max()) < classes:
            wrong = int(values.max()) if int(values.max()) >= classes else int(values.min())
            raise ValueError(f"{name} contains the value {wrong}, there are {classes} labels")
    # Ignored pixels are counted in a row of their own, which costs less than leaving them out.
    pairs = torch.add(prediction.flatten().long(), target.flatten().long(), alpha=classes)
    return torch.bincount(pairs, minlength=(IGNORE_INDEX + 1) * classes).view(-1, classes)[:classes].clone()


class PixelCounts(NamedTuple):
    """How predictions and truth agree on some images.

    Attributes:
        confusion: int64 (K, K), rows truth, columns prediction, summed over the images.
        per_image: int64 (N, K, 3): of each image and label the pixels on which both agree, of the truth, and of the
            prediction. From it a score can be taken again of other choices of images.
        boundary: the same of the boundary bands, see `otx_seg.metrics.boundary`; None where they were not counted.
        reliability: of the confidences; None where it was not counted.
    """

    confusion: Tensor
    per_image: Tensor
    boundary: Tensor | None = None
    reliability: Reliability | None = None


def counts_by_label(confusion: Tensor) -> Tensor:
    """(K, K) -> (K, 3): agreed, true and predicted pixels of each label, see `PixelCounts`."""
    return torch.stack((confusion.diag(), confusion.sum(dim=1), confusion.sum(dim=0)), dim=1)


@dataclass(frozen=True)
class LabelScore:
    """The scores of one label that the ground truth shows; all but the pixels are 0..1."""

    dice: float
    iou: float
    pixels_true: int
    pixels_predicted: int

    @property
    def precision(self) -> float:
        """Share of the predicted pixels that have the label; 0 if none is predicted."""
        return precision(self.counts)

    @property
    def recall(self) -> float:
        """Share of the true pixels that are predicted so."""
        return recall(self.counts)

    @property
    def counts(self) -> LabelCounts:
        """The pixels that the scores were taken from."""
        agreed = round(self.dice * (self.pixels_true + self.pixels_predicted) / 2)
        return LabelCounts(agreed, self.pixels_true, self.pixels_predicted)

    def as_json(self) -> dict[str, float]:
        return {**asdict(self), "precision": self.precision, "recall": self.recall}


@dataclass(frozen=True)
class Scores:
    """How well predictions agree with the truth; every score is 0..1.

    Attributes:
        dice_average: mean Dice of the labels other than background that have ground-truth pixels; 0.0 if none has.
        m_dice: the same mean with background among the labels.
        m_iou: mean IoU of the labels that have ground-truth pixels, background among them.
        pixel_accuracy: share of the counted pixels with the right label.
        per_label: scores by label name, only labels that have ground-truth pixels, in label order.
        absent: names of the labels without ground-truth pixels, in label order; they enter no mean.
        false_alarms: of those of them that were predicted, the number of pixels.
        left_out: names of labels that were left out of every average, the accuracy among them, see `scores`.
    """

    dice_average: float
    m_dice: float
    m_iou: float
    pixel_accuracy: float
    per_label: dict[str, LabelScore]
    absent: tuple[str, ...]
    false_alarms: dict[str, int]
    left_out: tuple[str, ...] = ()

    @property
    def mean_accuracy(self) -> float:
        """Mean recall of the labels that have ground-truth pixels, background among them."""
        return _mean(recall(counts) for counts in self._counted())

    @property
    def frequency_weighted_iou(self) -> float:
        """Mean IoU of these labels, weighted by their ground-truth pixels (Long, Shelhamer & Darrell 2015)."""
        return frequency_weighted_iou(self._counted())

    def _counted(self) -> list[LabelCounts]:
        return [score.counts for name, score in self.per_label.items() if name not in self.left_out]

    def as_json(self) -> dict[str, Any]:
        """Plain numbers under the keys that ``performance.json`` uses."""
        return {
            "Dice Average": self.dice_average,
            "mDice": self.m_dice,
            "mIoU": self.m_iou,
            "fwIoU": self.frequency_weighted_iou,
            "aAcc": self.pixel_accuracy,
            "mAcc": self.mean_accuracy,
            "per_label": {name: score.as_json() for name, score in self.per_label.items()},
            "absent_labels": list(self.absent),
            "false_alarms": self.false_alarms,
            **({"without_labels": list(self.left_out)} if self.left_out else {}),
        }


def scores_from_json(content: dict[str, Any]) -> Scores:
    """What `Scores.as_json` gave; further keys are left out of account. Without false alarms, it is of a version that
    counted labels with false alarms as 0: its numbers stay as they are.

    Raises:
        KeyError, TypeError: it is something else.
    """
    return Scores(
        dice_average=content["Dice Average"],
        m_dice=content["mDice"],
        m_iou=content["mIoU"],
        pixel_accuracy=content["aAcc"],
        per_label={
            name: LabelScore(values["dice"], values["iou"], values["pixels_true"], values["pixels_predicted"])
            for name, values in content["per_label"].items()
        },
        absent=tuple(content["absent_labels"]),
        false_alarms=content.get("false_alarms", {}),
        left_out=tuple(content.get("without_labels", ())),
    )


def scores(confusion: Tensor, labels: Labels, left_out: Collection[str] = ()) -> Scores:
    """Turn a confusion matrix into scores.

    Args:
        confusion: integer tensor (K, K), rows truth, columns prediction, summed over the whole data set.
        labels: the K labels.
        left_out: names of labels that enter no average. Their pixels still count as errors of the labels that are
            predicted there, and pixels that are taken for them as errors of their true label.

    Raises:
        ValueError: the matrix is not K by K.
    """
    if confusion.shape != (len(labels), len(labels)):
        raise ValueError(f"confusion matrix {tuple(confusion.shape)} does not fit {len(labels)} labels")
    found = {
        name: LabelCounts(*row) for name, row in zip(labels.names, counts_by_label(confusion).tolist(), strict=True)
    }
    per_label = {
        name: LabelScore(dice(counts), iou(counts), counts.true, counts.predicted)
        for name, counts in found.items()
        if counts.true
    }
    averaged = {name: score for name, score in per_label.items() if name not in left_out}
    foreground = {labels.names[index] for index in labels.foreground}
    return Scores(
        dice_average=_mean(score.dice for name, score in averaged.items() if name in foreground),
        m_dice=_mean(score.dice for score in averaged.values()),
        m_iou=_mean(score.iou for score in averaged.values()),
        pixel_accuracy=pixel_accuracy([found[name] for name in averaged]),
        per_label=per_label,
        absent=tuple(name for name, counts in found.items() if not counts.true),
        false_alarms={name: counts.predicted for name, counts in found.items() if counts.predicted and not counts.true},
        left_out=tuple(name for name in labels.names if name in left_out),
    )


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0
