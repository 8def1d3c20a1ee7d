"""What a training tells the outside while it runs, and when it has ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from otx_seg.metrics.confusion import Scores


@dataclass(frozen=True)
class StepReport:
    """One optimisation step.

    Attributes:
        step, steps: this step, from 1, and the number of steps if nothing stops the run earlier.
        progress: share of the run that has passed, 0 to 1, by steps or by the time budget.
        loss: the sum that was minimised.
        elapsed_s: seconds since the training began, earlier parts of a resumed run included.
    """

    step: int
    steps: int
    epoch: int
    progress: float
    loss: float
    learning_rate: float
    elapsed_s: float


@dataclass(frozen=True)
class ValidationReport:
    """One validation; `best` is the best score so far, this one included."""

    step: int
    epoch: int
    scores: Scores
    best: float
    elapsed_s: float


@dataclass(frozen=True)
class TrainResult:
    """How a training ended.

    Attributes:
        weights: the file with the best network.
        scores: its validation scores; None where there were no validation images.
        epoch: finished epochs when it was saved.
        reason: why the training ended.
    """

    weights: Path
    scores: Scores | None
    epoch: int
    epochs: int
    steps: int
    elapsed_s: float
    reason: str


class Watcher(Protocol):
    """Receives the reports of a training; called on the main process only."""

    def on_step(self, report: StepReport) -> None: ...

    def on_validation(self, report: ValidationReport) -> None: ...


class SilentWatcher:
    """Ignores every report."""

    def on_step(self, report: StepReport) -> None:
        pass

    def on_validation(self, report: ValidationReport) -> None:
        pass
