"""Search and final training are told as one job; the numbers are worked out by hand."""

from __future__ import annotations

import pytest

from otx_seg.hpo.progress import LastPart, PartOfJob
from otx_seg.hpo.trial import Outcome
from otx_seg.training.loggers import Logger, Loggers, StepReport, ValidationReport


class Told(Logger):
    def __init__(self) -> None:
        self.steps: list[StepReport] = []

    def on_step(self, report: StepReport) -> None:
        self.steps.append(report)

    on_trial_step = on_step

    def on_validation(self, report: ValidationReport) -> None:
        raise AssertionError("nothing was validated")


def at(progress: float, elapsed_s: float) -> StepReport:
    return StepReport(1, 100, 1, progress, {}, 0.1, elapsed_s)


def test_a_training_that_gets_more_time_is_told_without_a_step_back() -> None:
    """Ten minutes with a ratio of 1.5: two trials of one minute; the one that goes on gets 14 minutes."""
    told = Told()
    loggers = Loggers([told])
    paused = Outcome(0.5, 0.1, 1, 1, 60.0, "", 1)
    PartOfJob(loggers, [], 1.5).on_step(at(0.1, 60.0))
    PartOfJob(loggers, [paused], 1.5).on_step(at(0.1, 60.0))
    winner = LastPart(loggers, [paused], longer=1.4)
    winner.on_step(at(1 / 14, 60.0))
    winner.on_step(at(0.5, 420.0))
    winner.on_step(at(1.0, 840.0))
    assert [step.progress for step in told.steps] == pytest.approx([1 / 15, 2 / 15, 2 / 15, 8 / 15, 1.0])
    assert [step.elapsed_s for step in told.steps] == pytest.approx([60.0, 120.0, 120.0, 480.0, 900.0])
