"""TensorBoard: losses, rate, scores and pictures of a training, to look at with ``tensorboard --logdir RUN``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from otx_seg.metrics.watched import DICE, WATCHED
from otx_seg.training.loggers import Logger, StepReport, TrainResult, ValidationReport


class Tensorboard(Logger):
    """Writes event files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_begin(self, step: int) -> None:
        # TensorBoard takes back what older files hold of steps from this one on: an interrupted run repeats them.
        self.writer = SummaryWriter(str(self.folder), purge_step=step + 1)

    def on_step(self, report: StepReport) -> None:
        if report.is_written:
            losses = {f"losses/{name}": value for name, value in report.losses.items()}
            self._add(report.step, {"learning_rate": report.learning_rate, **losses})

    def on_validation(self, report: ValidationReport) -> None:
        found = report.scores
        means = {metric.name: metric.of(found) for metric in WATCHED.values()}
        means["Dice Average"] = means.pop(DICE.name)
        dice = {f"Dice/{name}": score.dice for name, score in found.per_label.items()}
        iou = {f"IoU/{name}": score.iou for name, score in found.per_label.items()}
        for picture in report.pictures():
            drawn = np.hstack(picture.drawn())
            self.writer.add_image(f"image, truth, prediction/{picture.name}", drawn, report.step, dataformats="HWC")
        self._add(report.step, {**{f"scores/{name}": value for name, value in means.items()}, **dice, **iou})

    def _add(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()  # to be seen while the training runs

    def on_end(self, result: TrainResult | None) -> None:
        self.writer.close()
