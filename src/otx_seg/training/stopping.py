"""When a training is over before its time."""

from __future__ import annotations

import math
import signal
from types import FrameType
from typing import Any, Protocol

from otx_seg.errors import OtxError, UsageError
from otx_seg.interrupts import ENDING
from otx_seg.metrics.watched import WatchedMetric
from otx_seg.template import Template


class InterruptedRunError(OtxError):
    """A signal asked the training to stop; it can continue."""


class Stopping(Protocol):
    """Decides after each validation whether a training is over before its time.

    Attributes:
        reason: why it is, for people.
    """

    @property
    def reason(self) -> str: ...

    def observe(self, epoch: int, step: int, score: float) -> bool: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class ScoreReached:
    """Stops as soon as the validation score reaches its goal.

    Args:
        goal: score, 0..1.
        limit: by how many points, hundredths, `goal` is below what the score is compared with.
        metric: whose value the score is.
    """

    def __init__(self, goal: float, limit: float, metric: WatchedMetric) -> None:
        self.goal, self.metric = goal, metric
        self.reason = f"the validation {metric.name} is within the limit of {limit:g} {metric.name} points"

    def observe(self, epoch: int, step: int, score: float) -> bool:
        """See `EarlyStopping.observe`."""
        return score >= self.goal

    def state_dict(self) -> dict[str, Any]:
        return {"goal": self.goal}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """
        Raises:
            UsageError: another goal: the weights or the validation images are not those the run began with.
        """
        if not math.isclose(state["goal"], self.goal, abs_tol=1e-4):
            raise UsageError(
                f"the run to resume had to reach a {self.metric.name} of {state['goal']:.4f}, not {self.goal:.4f}: "
                "the weights or the validation images have changed since; start a new run"
            )
        self.goal = state["goal"]


class EarlyStopping:
    """Counts validations and steps since the best smoothed score.

    The highest of many scores is high by luck too, the more so the fewer validation images there are, and what follows
    looks worse than it is. So scores are smoothed, s <- s + (score - s) * 2 / (patience + 1), which is about the mean
    of the last `early_stop_patience` of them.

    Stops when both patiences are used up: counting validations alone ends the training of a small data set, with
    its few steps per epoch, before it has learned anything.

    Args:
        scorable: see `TrainingData`; without, it never stops.
    """

    def __init__(self, template: Template, warmup_steps: int, scorable: bool = True) -> None:
        parameters = template.hyper_parameters.learning_parameters
        # A time budget is a request to use that time: the decay of the learning rate is fitted to it.
        self.enabled = scorable and parameters.enable_early_stopping and parameters.max_minutes == 0
        self.start_epoch = parameters.early_stop_start
        self.patience = parameters.early_stop_patience
        self.step_patience = parameters.early_stop_iteration_patience
        self.warmup_steps = warmup_steps
        self.smoothed = self.best_score = float("-inf")
        self.best_step = 0
        self.stalled = 0

    @property
    def reason(self) -> str:
        return f"no better score in {self.stalled} validations"

    def observe(self, epoch: int, step: int, score: float) -> bool:
        """Take note of a validation score; True when training should stop.

        Args:
            epoch: finished epochs.
            step: finished steps.
            score: validation score, higher is better.
        """
        weight = 2 / (max(self.patience, 1) + 1)
        self.smoothed = score if math.isinf(self.smoothed) else self.smoothed + weight * (score - self.smoothed)
        if self.smoothed > self.best_score:
            self.best_score, self.best_step, self.stalled = self.smoothed, step, 0
            return False
        if epoch < self.start_epoch or step < self.warmup_steps:
            return False
        self.stalled += 1
        return self.enabled and self.stalled >= self.patience and step - self.best_step >= self.step_patience

    def state_dict(self) -> dict[str, Any]:
        names = ("smoothed", "best_score", "best_step", "stalled")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best_score, self.best_step, self.stalled = state["best_score"], state["best_step"], state["stalled"]
        self.smoothed = state.get("smoothed", self.best_score)  # an earlier version did not smooth


class StopRequest:
    """Within this context SIGINT, SIGTERM and SIGHUP only set `signal_name`; a second one acts at once.

    The loop looks at it between two steps, so that a training is never interrupted half way through one.
    """

    def __init__(self) -> None:
        self.signal_name: str | None = None
        self._previous: dict[signal.Signals, Any] = {}

    @property
    def interruption(self) -> KeyboardInterrupt | None:
        """What an error that follows from the signal is to be raised from."""
        return None if self.signal_name is None else KeyboardInterrupt(signal.Signals[self.signal_name])

    def __enter__(self) -> StopRequest:
        try:
            for number in ENDING:
                if number.name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                    self._previous[number] = signal.signal(number, self._note)
        except ValueError:
            pass  # not in the main thread: the program that embeds the training owns the signals
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        name = signal.Signals(number)
        self.signal_name = name.name
        signal.signal(name, self._previous[name])
