"""The learning rate at each step: a warm-up, then the chosen decay."""

from __future__ import annotations

from typing import Any

from otx_seg.template import Template

_LONGEST_WARMUP = 0.1  # share of the run


class LearningRate:
    """The rate as a function of the step, of the share of the run that has passed, and of past scores.

    1. Warm-up: linear from ``warmup_start * rate`` to ``rate`` over the first ``warmup_steps`` steps, or over the
       first tenth of the run if that passes sooner, as it may under a time budget.
    2. poly: ``rate * (1 - progress) ** power``, never below the minimum, where progress is the larger of the
       share of all steps and the share of the time budget: the decay ends when the run ends, whatever ends it.
       plateau: multiplied by ``factor`` after more than ``patience`` validations without improvement, where a score
       equal to the best counts as improvement (as in OTX 1.x).
       constant: the rate itself.
    """

    def __init__(self, template: Template, warmup_steps: int) -> None:
        parameters = template.hyper_parameters.learning_parameters
        self.schedule = template.schedule
        self.kind = parameters.learning_rate_schedule
        self.rate = parameters.learning_rate
        self.warmup_steps = warmup_steps
        self.plateau_scale = 1.0
        self.best_score = float("-inf")
        self.stalled = 0

    @property
    def decays(self) -> bool:
        """Whether the rate goes down to the end of the run, whatever the scores are."""
        return self.kind == "poly"

    def at(self, step: int, progress: float) -> float:
        """The learning rate of step `step` (from 0) when the share `progress` (0 to 1) of the run has passed."""
        decayed = self.rate
        if self.kind == "poly":
            decayed *= max(1.0 - progress, 0.0) ** self.schedule.poly_power
        decayed = max(decayed * self.plateau_scale, min(self.schedule.minimum_learning_rate, self.rate))
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
        return {"plateau_scale": self.plateau_scale, "best_score": self.best_score, "stalled": self.stalled}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.plateau_scale = state["plateau_scale"]
        self.best_score = state["best_score"]
        self.stalled = state["stalled"]
