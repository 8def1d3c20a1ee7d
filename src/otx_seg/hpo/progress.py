"""The progress of search and final training as that of one job."""

from __future__ import annotations

from dataclasses import replace

from otx_seg.training.loggers import Logger, Loggers, StepReport, TrainResult, ValidationReport


class WholeJob:
    """Passes the reports of one training after another on as those of one that takes `ratio` times as long.

    Args:
        ratio: time of all trainings together as a multiple of a whole one's.
    """

    def __init__(self, loggers: Loggers, ratio: float) -> None:
        self.loggers, self.ratio = loggers, ratio
        self.share = self.elapsed_s = 0.0

    def spent(self, share: float, seconds: float) -> None:
        """A training has ended or was paused after this share of a whole one and this time."""
        self.share += share
        self.elapsed_s += seconds

    def trial(self, share: float, seconds: float) -> Loggers:
        """For a trial that goes on from here; its validations are told by the search."""
        return Loggers([_Part(self, share, seconds, False)])

    def winner(self, share: float, seconds: float, longer: float) -> Loggers:
        """For the training that the search ends in, which goes on from here, and is this many times as long now."""
        self.ratio = self.share - share + longer
        return Loggers([_Part(self, share, seconds, True, longer)])


class _Part(Logger):
    def __init__(
        self, whole: WholeJob, share: float, seconds: float, tells_validations: bool, longer: float = 1.0
    ) -> None:
        self.whole, self.share, self.seconds, self.tells_validations = whole, share, seconds, tells_validations
        self.longer = longer

    def on_step(self, report: StepReport) -> None:
        progress = min((self.whole.share + self.longer * report.progress - self.share) / self.whole.ratio, 1.0)
        elapsed_s = self.whole.elapsed_s + report.elapsed_s - self.seconds
        self.whole.loggers.on_step(replace(report, progress=progress, elapsed_s=elapsed_s))

    def on_validation(self, report: ValidationReport) -> None:
        if self.tells_validations:
            self.whole.loggers.on_validation(report)

    def on_end(self, result: TrainResult) -> None:
        if self.tells_validations:
            self.whole.loggers.on_end(result)
