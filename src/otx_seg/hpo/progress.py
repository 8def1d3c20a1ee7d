"""The progress of search and final training as that of one job."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from otx_seg.hpo.trial import Outcome
from otx_seg.training.loggers import Logger, Loggers, StepReport, TrainResult, ValidationReport


class PartOfJob(Logger):
    """Tells the progress of a trial as that of search and final training together.

    Args:
        others: the other trials, as far as they have come.
        ratio: time of search and training together as a multiple of a whole training's.
    """

    def __init__(self, loggers: Loggers, others: Iterable[Outcome], ratio: float) -> None:
        self.loggers, others = loggers, list(others)
        self.share, self.elapsed_s = sum(one.share for one in others), sum(one.seconds for one in others)
        self.ratio, self.longer = ratio, 1.0

    def on_step(self, report: StepReport) -> None:
        progress = min((self.share + self.longer * report.progress) / self.ratio, 1.0)
        self.loggers.on_step(replace(report, progress=progress, elapsed_s=self.elapsed_s + report.elapsed_s))


class LastPart(PartOfJob):
    """As `PartOfJob`, for the training that is left, `longer` times as long now; its validations and end are told."""

    def __init__(self, loggers: Loggers, others: Iterable[Outcome], longer: float) -> None:
        super().__init__(loggers, others, 1.0)
        self.longer, self.ratio = longer, self.share + longer

    def on_validation(self, report: ValidationReport) -> None:
        self.loggers.on_validation(report)

    def on_end(self, result: TrainResult) -> None:
        self.loggers.on_end(result)
