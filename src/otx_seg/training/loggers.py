"""Loggers and what they receive: the progress display, `metrics.jsonl`, or your own."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from otx_seg.errors import DataError
from otx_seg.inference.pictures import Picture
from otx_seg.metrics.confusion import Scores
from otx_seg.metrics.counted_images import CountedImages
from otx_seg.metrics.watched import DICE, WatchedMetric
from otx_seg.runtime.plain_files import number, parse_json, whole_number
from otx_seg.words import count
from otx_seg.workspace.atomic import write_text
from otx_seg.workspace.run_folder import RunFolder

logger = logging.getLogger(__name__)

INTERVAL = 10
"""Steps between two lines of `metrics.jsonl`, and between two looks at the loss on a GPU."""

_DRAWN = {"loss", "learning_rate", "Dice Average", "mDice", "mIoU", "score"}


@dataclass(frozen=True)
class StepReport:
    """One optimisation step.

    Attributes:
        step, steps: this step, from 1, and the number of steps if nothing stops the run earlier.
        progress: share of the run that has passed, 0 to 1, by steps or by the time budget.
        losses: the sum that was minimised under ``"loss"``, and its parts under names of their own.
        elapsed_s: seconds since the training began, earlier parts of a resumed run included.
    """

    step: int
    steps: int
    epoch: int
    progress: float
    losses: dict[str, float]
    learning_rate: float
    elapsed_s: float

    @property
    def is_written(self) -> bool:
        """Whether it is one of those that files get."""
        return self.step % INTERVAL == 0 or self.step == 1


@dataclass(frozen=True)
class ValidationReport:
    """One validation.

    Attributes:
        best: the best score so far, this one included.
        pictures: gives up to six validation images with their true and predicted masks, the same at each validation;
            none if the network is not the best so far. The first call makes them. Call it within `on_validation`,
            since the network learns on.
        per_image: int64 (N, K, 3), see `otx_seg.metrics.confusion.PixelCounts`, in the order of the validation images.
        metric: which of the scores networks are compared by.
    """

    step: int
    epoch: int
    scores: Scores
    best: float
    elapsed_s: float
    pictures: Callable[[], tuple[Picture, ...]] = tuple
    per_image: Tensor | None = None
    metric: WatchedMetric = DICE

    @property
    def score(self) -> float:
        """What the network is judged by, 0..1."""
        return self.metric.of(self.scores)


@dataclass(frozen=True)
class TrainResult:
    """How a training ended.

    Attributes:
        weights: the file with the network that was kept.
        scores: its validation scores; None where there were no validation images.
        epoch: the one it was saved in or after, from 1; 0: before the first one.
        epochs: that have begun.
        reason: why the training ended.
        choice: which network was kept, and why, if the last one was not simply the best; else empty.
        metric: which of the scores networks were compared by.
        averaged: epochs of the networks whose mean was kept; none if it was one of the training's own.
        counted: the pixels that the scores are taken from, by image; None without validation images.
        temperature: of the calibration of its confidences; 1 without validation images.
    """

    weights: Path
    scores: Scores | None
    epoch: int
    epochs: int
    steps: int
    elapsed_s: float
    reason: str
    choice: str = ""
    metric: WatchedMetric = DICE
    averaged: tuple[int, ...] = ()
    counted: CountedImages | None = field(default=None, compare=False, repr=False)
    temperature: float = 1.0

    @property
    def report(self) -> Path:
        """The page that shows it."""
        return RunFolder(self.weights.parents[1]).page


class Logger:
    """Receives the events of a training, only on the main process; a logger overrides the methods it needs.

    Of a search it receives the final training, from the step at which its trial was chosen.
    """

    def on_scan(self, what: str, done: int, total: int) -> None:
        """Before the training, this many images of `total` are done; `what` names the task."""

    def on_trial_step(self, report: StepReport) -> None:
        """A trial of a search made a step; progress and time include the search and the training."""

    def on_parameters(self, values: dict[str, Any]) -> None:
        """What the training is made with, before it begins or resumes, see `TrainContext.parameters`."""

    def on_begin(self, step: int) -> None:
        """The training begins or resumes after this step: later steps that were reported will be reported again."""

    def on_step(self, report: StepReport) -> None:
        """A step was made; on a GPU, where reading a loss means waiting, only one of those that files get."""

    def on_validation(self, report: ValidationReport) -> None:
        """The network was scored."""

    def on_end(self, result: TrainResult | None) -> None:
        """The training has ended with this result; None: it failed or was interrupted, and may begin again."""

    def on_report(self, path: Path) -> None:
        """The report of the finished training was written, to this file."""

    def on_close(self) -> None:
        """The command is over, with or without a training and its report: nothing else follows."""


class Loggers(Logger):
    """Several loggers as one."""

    def __init__(self, loggers: Sequence[Logger] = ()) -> None:
        self.loggers = tuple(loggers)

    def tell(self, event: str, *what: Any) -> None:
        """Call the method of this name of all of them."""
        for each in self.loggers:
            getattr(each, event)(*what)

    def on_scan(self, what: str, done: int, total: int) -> None:
        self.tell("on_scan", what, done, total)

    def on_trial_step(self, report: StepReport) -> None:
        self.tell("on_trial_step", report)

    def on_parameters(self, values: dict[str, Any]) -> None:
        self.tell("on_parameters", values)

    def on_begin(self, step: int) -> None:
        self.tell("on_begin", step)

    def on_step(self, report: StepReport) -> None:
        self.tell("on_step", report)

    def on_validation(self, report: ValidationReport) -> None:
        self.tell("on_validation", report)

    def on_end(self, result: TrainResult | None) -> None:
        self.tell("on_end", result)

    def on_report(self, path: Path) -> None:
        self.tell("on_report", path)

    def on_close(self) -> None:
        self.tell("on_close")


class MayFail(Loggers):
    """A logger that an exception ends, with a warning; the training continues.

    Args:
        name: what the warning calls it.
    """

    def __init__(self, name: str, wrapped: Logger) -> None:
        super().__init__([wrapped])
        self.name = name

    def tell(self, event: str, *what: Any) -> None:
        try:
            super().tell(event, *what)
        except Exception as error:  # of any library that it uses
            stopped, self.loggers = Loggers(self.loggers), ()
            logger.warning(
                "%s failed and gets nothing more; the training continues (the reason is in its log file)",
                self.name,
                exc_info=error,
            )
            if event != "on_close":
                with suppress(Exception):
                    stopped.on_close()


class MetricsFile(Logger):
    """`metrics.jsonl`: one JSON object per line with the ``step`` it belongs to, readable while the training runs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_begin(self, step: int) -> None:
        """Drop the lines after `step`. A line cut short by a kill goes too."""
        if self.path.exists():
            kept = [entry for entry in read_metrics(self.path) if entry["step"] <= step]
            write_text(self.path, "".join(json.dumps(entry) + "\n" for entry in kept))

    def on_step(self, report: StepReport) -> None:
        if report.is_written:
            where = {"step": report.step, "epoch": report.epoch, "learning_rate": report.learning_rate}
            self.append({**where, **report.losses})

    def on_validation(self, report: ValidationReport) -> None:
        watched = {"watched": report.metric.name, "score": report.score}
        self.append({"step": report.step, "epoch": report.epoch, **report.scores.as_json(), **watched})

    def append(self, entry: dict[str, Any]) -> None:
        """Add one line and hand it to the operating system at once."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The entries of a `metrics.jsonl`: each has a ``step``, and losses or scores that are finite numbers.

    Damaged lines are left out and told of, but for a last one that was cut short.
    """
    entries, damaged = [], []
    *lines, last = path.read_bytes().split(b"\n")
    for index, line in enumerate([*lines, *([last] if last else [])]):
        try:
            entries.append(_entry(line, path))
        except (DataError, ValueError):
            damaged += [index] if index < len(lines) else []
    if damaged:
        lines_left_out = f"{path}: {count(len(damaged), 'damaged line')} left out"
        logger.warning("%s, the first is line %d", lines_left_out, damaged[0] + 1)
    return entries


def _entry(line: bytes, path: Path) -> dict[str, Any]:
    found = parse_json(line, path)
    if not isinstance(found, dict):
        raise ValueError("not a mapping")
    found["step"] = whole_number(found.get("step"), 0, 1 << 53, "step")
    for name in _DRAWN & found.keys():
        number(found[name], -math.inf, math.inf, name)
    return found
