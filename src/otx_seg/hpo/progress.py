"""The progress of search and final training as that of one job."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from otx_seg.hpo.trial import Outcome
from otx_seg.training.loggers import Logger, Loggers, StepReport


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

    def of_job(self, report: StepReport) -> StepReport:
        progress = min((self.share + self.longer * report.progress) / self.ratio, 1.0)
        return replace(report, progress=progress, elapsed_s=self.elapsed_s + report.elapsed_s)

    def on_step(self, report: StepReport) -> None:
        self.loggers.on_trial_step(self.of_job(report))


class LastPart(Loggers):
    """For the training that is left, `longer` times as long now: everything is told, with the progress as above."""

    def __init__(self, loggers: Loggers, others: Iterable[Outcome], longer: float) -> None:
        super().__init__([loggers])
        self.part = PartOfJob(loggers, others, 1.0)
        self.part.longer, self.part.ratio = longer, self.part.share + longer

    def on_step(self, report: StepReport) -> None:
        super().on_step(self.part.of_job(report))
