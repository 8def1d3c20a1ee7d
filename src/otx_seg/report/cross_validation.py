"""The result of a cross-validation: a table, and its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from rich.table import Table

from otx_seg.errors import UsageError
from otx_seg.metrics.confusion import PixelCounts, Scores, scores
from otx_seg.metrics.counted_images import CountedImages
from otx_seg.metrics.fold_scores import DICE_AVERAGE, FoldScores, Spread, over_folds
from otx_seg.report.image_scores import write_image_scores
from otx_seg.report.pictures import draw_confusions
from otx_seg.report.tables import table
from otx_seg.training.finished_fold import FinishedFold
from otx_seg.words import count
from otx_seg.workspace.atomic import write_json
from otx_seg.workspace.run_folder import RunFolder


@dataclass(frozen=True)
class CrossValidation:
    """A cross-validation, or as much of it as there is.

    Attributes:
        folder: holds a run folder for each fold, and the results.
        folds: the number of folds.
        finished: those that are trained, in order.
    """

    folder: Path
    folds: int
    finished: tuple[FinishedFold, ...]

    @property
    def missing(self) -> tuple[int, ...]:
        """The numbers of the folds that are not trained yet."""
        there = {found.fold.number for found in self.finished}
        return tuple(number for number in range(1, self.folds + 1) if number not in there)

    @property
    def weights(self) -> tuple[Path, ...]:
        """The networks of the finished folds."""
        return tuple(found.run.weights for found in self.finished)

    @cached_property
    def counted(self) -> CountedImages:
        """All images of the finished folds, each as the network sees it that was not trained on it."""
        parts = [found.counted for found in self.finished]
        pixels = PixelCounts(
            torch.stack([part.pixels.confusion for part in parts]).sum(dim=0),
            torch.cat([part.pixels.per_image for part in parts]),
        )
        return CountedImages(parts[0].labels, tuple(name for part in parts for name in part.files), pixels)

    @property
    def scores(self) -> Scores:
        """Over all pixels of these images together."""
        return scores(self.counted.pixels.confusion, self.counted.labels)

    @property
    def over_folds(self) -> FoldScores:
        """Mean and spread over the finished folds."""
        return over_folds([found.scores for found in self.finished], self.finished[0].counted.labels)


def write_cross_validation(found: CrossValidation) -> None:
    """Write ``cross_validation.json``, ``performance.json``, ``per_image.csv`` and ``confusion.png`` once all folds are
    finished.

    Raises:
        UsageError: the folds were not made from the same images and labels.
    """
    labels = found.finished[0].counted.labels
    files = found.counted.files
    if len(set(files)) < len(files) or any(fold.counted.labels.names != labels.names for fold in found.finished):
        raise UsageError(f"{found.folder}: its folds were not made from the same images; train them again")
    run = RunFolder(found.folder)
    per_fold = [
        {"fold": one.fold.number, "images": len(one.counted.files), **one.scores.as_json()} for one in found.finished
    ]
    write_json(run.cross_validation, {"folds": found.folds, **found.over_folds.as_json(), "per_fold": per_fold})
    write_json(run.performance, {**found.scores.as_json(), "confusion": found.counted.confusions()})
    fold_of = {name: one.fold.number for one in found.finished for name in one.counted.files}
    write_image_scores(found.counted, run.image_scores, fold_of=fold_of)
    draw_confusions(found.counted, run.confusions)


def folds_table(found: CrossValidation) -> Table:
    """Mean and standard deviation over folds, and the Dice over all images together; a row per label, then averages.

    The first mean is without background.
    """
    over, together = found.over_folds, found.scores
    title = (
        f"{count(found.folds, 'fold')}, {count(len(found.counted.files), 'image')}: mean and standard deviation (sd)"
    )
    headings = ("label", "Dice", "sd", "IoU", "sd", "folds", "Dice of all")
    rows: list[Sequence[object]] = []
    for label, spreads in over.per_label.items():
        dice = spreads["dice"]
        rows.append(
            (label, *_cells(dice), *_cells(spreads["iou"]), dice.folds, f"{together.per_label[label].dice:.4f}")
        )
    rows += [(label, *[""] * 4, 0, "absent") for label in together.absent]
    made = table(headings, rows, title)
    made.add_section()
    mean, m_dice, m_iou, accuracy = (over.averages[name] for name in (DICE_AVERAGE, "mDice", "mIoU", "aAcc"))
    made.add_row("mean over labels", *_cells(mean), "", "", str(mean.folds), f"{together.dice_average:.4f}")
    made.add_row("with background", *_cells(m_dice), *_cells(m_iou), str(m_dice.folds), f"{together.m_dice:.4f}")
    made.add_row("pixel accuracy", *_cells(accuracy), "", "", str(accuracy.folds), f"{together.pixel_accuracy:.4f}")
    return made


def scores_of_folds(found: CrossValidation) -> str:
    """The Dice average of each fold, in a line."""
    return ", ".join(f"{one.fold.number}: {one.scores.dice_average:.4f}" for one in found.finished)


def _cells(spread: Spread) -> tuple[str, str]:
    deviation = spread.standard_deviation
    return f"{spread.mean:.4f}" if spread.folds else "none", "" if deviation is None else f"{deviation:.4f}"
