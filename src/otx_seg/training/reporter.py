"""Telling a watcher and the journal what happens; the processes of a torchrun job but the first stay silent."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from otx_seg.training.journal import Journal
from otx_seg.training.state import Position
from otx_seg.training.watcher import StepReport, ValidationReport, Watcher


class Reporter:
    """
    Args:
        watcher: receives every report.
        journal: gets a line for each validation, for the first step and for every `interval`-th.
        on_gpu: whether reading a loss means waiting for a GPU: then only those steps are reported at all.
        silent: report nothing.
    """

    def __init__(self, watcher: Watcher, journal: Journal, interval: int, on_gpu: bool, silent: bool) -> None:
        self.watcher, self.journal, self.interval = watcher, journal, interval
        self.on_gpu, self.silent = on_gpu, silent

    def step(self, losses: dict[str, Tensor], report: StepReport) -> None:
        """Report a step, whose loss is filled in from ``losses["loss"]`` if it is read at all."""
        journaled = report.step % self.interval == 0 or report.step == 1
        if self.silent or (self.on_gpu and not journaled):
            return
        values = {name: float(value.detach()) for name, value in losses.items()}
        self.watcher.on_step(replace(report, loss=values["loss"]))
        if journaled:
            line = {"step": report.step, "epoch": report.epoch, "learning_rate": report.learning_rate}
            self.journal.append({**line, **values})

    def validation(self, report: ValidationReport) -> None:
        """Report a validation."""
        if not self.silent:
            self.watcher.on_validation(report)
            self.journal.append({"step": report.step, "epoch": report.epoch, **report.scores.as_json()})

    def rewind(self, position: Position) -> None:
        """Drop what the journal holds after this position."""
        if not self.silent:
            self.journal.rewind(position.step)
