"""The progress display of a training."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from otx_seg.metrics.watched import DICE, WATCHED
from otx_seg.training.loggers import Logger, StepReport, TrainResult, ValidationReport
from otx_seg.workspace.logs import PROGRESS

logger = logging.getLogger(__name__)

_PROGRESS = {PROGRESS: True}

FIRST_ESTIMATE_STEPS = 10
"""Steps after which the expected duration is reported: the first ones are slow."""


def format_duration(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


QUIET_SHARE = 0.1
"""Share of the run after which a line is written if there is no bar and no validation."""


class TrainingDisplay(Logger):
    """A bar with loss, learning rate, best score and time left on a terminal; elsewhere lines, at each validation and
    otherwise about ten in a run."""

    def __init__(self, console: Console) -> None:
        self.live = console.is_terminal
        self.progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("loss {task.fields[loss]:.3f}"),
            TextColumn("rate {task.fields[rate]:.1e}"),
            TextColumn("best {task.fields[best]}", markup=False),
            TextColumn("{task.fields[left]} left"),
            console=console,
            disable=not self.live,
        )
        self.task: TaskID | None = None
        self.scan = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            disable=not self.live,
        )
        self.scan_task: TaskID | None = None
        self._forget()

    def _forget(self) -> None:
        self.best = "-"
        self.steps_seen = 0
        self.first: StepReport | None = None
        self.now = self.told = 0.0  # progress at the last step, and when something was last told

    def __enter__(self) -> TrainingDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.progress.stop()
        self.scan.stop()

    def on_scan(self, what: str, done: int, total: int) -> None:
        """Count the images that were checked before the training."""
        if self.scan_task is None:
            self.scan.start()
            self.scan_task = self.scan.add_task(what, total=total)
        self.scan.update(self.scan_task, completed=done)
        if done == total:
            self.scan.stop()
            self.scan.remove_task(self.scan_task)
            self.scan_task = None

    def on_step(self, report: StepReport) -> None:
        """Move the bar."""
        self.first = self.first or report
        self.steps_seen += 1
        self.now = report.progress
        left = self._seconds_left(report)
        fields: dict[str, Any] = {
            "epoch": report.epoch,
            "loss": report.losses["loss"],
            "rate": report.learning_rate,
            "best": self.best,
            "left": format_duration(left) if left is not None else "?",
        }
        if self.task is None:
            self.progress.start()
            self.task = self.progress.add_task("training", total=1.0, **fields)
        self.progress.update(self.task, completed=report.progress, **fields)
        if self.steps_seen == FIRST_ESTIMATE_STEPS and left is not None:
            logger.info("expected duration: at most %s", format_duration(report.elapsed_s + left), extra=_PROGRESS)
        if not self.live and self.now - self.told >= QUIET_SHARE:
            self.told = self.now
            told = (report.epoch, report.step, report.losses["loss"])
            logger.info("epoch %d, step %d: loss %.3f", *told, extra=_PROGRESS)

    on_trial_step = on_step

    def on_validation(self, report: ValidationReport) -> None:
        """Tell the score."""
        self.best, self.told = f"{report.metric.name} {report.best:.4f}", self.now
        shown = {metric.name: metric.of(report.scores) for metric in (report.metric, DICE, WATCHED["miou"])}
        logger.info(
            "epoch %d, step %d: validation %s (best %s) after %s",
            report.epoch,
            report.step,
            ", ".join(f"{name} {value:.4f}" for name, value in shown.items()),
            self.best,
            format_duration(report.elapsed_s),
            extra=_PROGRESS,
        )

    def on_end(self, result: TrainResult | None) -> None:
        """Leave the bar, and be ready for another training."""
        self.task = None
        self._forget()

    def _seconds_left(self, report: StepReport) -> float | None:
        """By the pace since this process began: a resumed training may run on another machine."""
        assert self.first is not None
        passed = report.progress - self.first.progress
        if passed <= 0:
            return None
        return (report.elapsed_s - self.first.elapsed_s) / passed * (1.0 - report.progress)
