"""The learning rate at each step: a warm-up, then the chosen decay."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from otx_seg.template import Template
from otx_seg.template.template import Schedule

_LONGEST_WARMUP = 0.1  # share of the run

_SHAPES: dict[str, Callable[[Schedule, float], float]] = {
    "poly": lambda schedule, progress: (1 - progress) ** schedule.poly_power,
    "poly_epoch": lambda schedule, progress: (1 - progress) ** schedule.poly_power,
    "cosine": lambda schedule, progress: _half_cosine(progress),
    "one_cycle": lambda schedule, progress: _one_cycle(schedule, progress),
    "multi_step": lambda schedule, progress: (
        schedule.milestone_factor ** sum(progress >= share for share in schedule.milestones)
    ),
    "exponential": lambda schedule, progress: schedule.exponential_end**progress,
}
"""The rate as a share of `learning_rate`, by the share of the run that has passed. Other kinds do not decay by it."""


class LearningRate:
    """The rate as a function of the step, of the share of the run that has passed, and of past scores.

    1. Warm-up: linear from ``warmup_start * rate`` to ``rate`` over the first ``warmup_steps`` steps, or over the
       first tenth of the run if that passes sooner, as it may under a time budget. one_cycle rises by itself.
    2. The decay, never below the minimum. Progress is the larger of the share of all steps and the share of the time
       budget, and 1 when the cooldown begins: the decay ends when the run ends, whatever ends it.
       poly: ``rate * (1 - progress) ** power``; poly_epoch: the same, once per epoch.
       cosine: half a period (Loshchilov & Hutter 2017, "SGDR", equation 5 without restarts).
       one_cycle: up and down along half periods (Smith & Topin 2018, "Super-convergence").
       multi_step: multiplied by ``milestone_factor`` at each milestone.
       exponential: ``rate * exponential_end ** progress``.
       plateau: multiplied by ``factor`` after more than ``patience`` validations without improvement, where a score
       equal to the best counts as improvement (as in OTX 1.x).
       constant: the rate itself.
    """

    def __init__(self, template: Template, warmup_steps: int) -> None:
        parameters = template.hyper_parameters.learning_parameters
        self.schedule = template.schedule
        self.kind = parameters.learning_rate_schedule
        self.rate = parameters.learning_rate
        self.warmup_steps = 0 if self.kind == "one_cycle" else warmup_steps
        self.plateau_scale = 1.0
        self.best_score = float("-inf")
        self.stalled = 0
        self.epoch, self.epoch_progress = -1, 0.0

    @property
    def decays(self) -> bool:
        """Whether the rate goes down to the end of the run, whatever the scores are."""
        return self.kind in _SHAPES

    def at(self, step: int, progress: float, epoch: int = 0) -> float:
        """The learning rate of step `step` (from 0), in epoch `epoch` (from 0), when the share `progress` (0 to 1) of
        the run has passed."""
        passed = min(progress / (1 - self.schedule.cooldown), 1.0)
        if epoch != self.epoch:
            self.epoch, self.epoch_progress = epoch, passed
        if self.kind == "poly_epoch":
            passed = self.epoch_progress
        decayed = self.rate * self.plateau_scale
        if self.decays:
            decayed *= _SHAPES[self.kind](self.schedule, passed)
        decayed = max(decayed, min(self.schedule.minimum_learning_rate, self.rate))
        warmed = max(step / self.warmup_steps, progress / _LONGEST_WARMUP) if self.warmup_steps else 1.0
        start = self.schedule.warmup_start
        return decayed * (start + (1.0 - start) * min(warmed, 1.0))

    def observe(self, step: int, score: float) -> None:
        """Take note of a validation score (higher is better) reached after `step` steps."""
        if self.kind != "plateau" or step < self.warmup_steps:
            return
        if score >= self.best_score:
            self.best_score, self.stalled = score, 0
            return
        self.stalled += 1
        if self.stalled > self.schedule.plateau_patience:
            self.plateau_scale *= self.schedule.plateau_factor
            self.stalled = 0

    def state_dict(self) -> dict[str, Any]:
        return {
            "plateau_scale": self.plateau_scale,
            "best_score": self.best_score,
            "stalled": self.stalled,
            "schedule_epoch": self.epoch,
            "epoch_progress": self.epoch_progress,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.plateau_scale = state["plateau_scale"]
        self.best_score = state["best_score"]
        self.stalled = state["stalled"]
        self.epoch = state.get("schedule_epoch", -1)
        self.epoch_progress = state.get("epoch_progress", 0.0)


def _half_cosine(progress: float) -> float:
    """From 1 down to 0."""
    return (1 + math.cos(math.pi * progress)) / 2


def _one_cycle(schedule: Schedule, progress: float) -> float:
    rise, start = schedule.one_cycle_rise, schedule.one_cycle_start
    if progress < rise:
        return 1 - (1 - start) * _half_cosine(progress / rise)
    return _half_cosine((progress - rise) / (1 - rise))
