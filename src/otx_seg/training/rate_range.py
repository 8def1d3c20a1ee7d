"""Learning-rate range test: train with a growing rate, and see where the loss falls and where it diverges.

Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3, with a rate that grows by the same
factor at each step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from statistics import fmean, stdev
from typing import NamedTuple

from otx_seg.datasets.loading.loader_processes import lost_in_words
from otx_seg.template.search_space import LEARNING_RATE, limits
from otx_seg.training.loss_guard import DivergedError
from otx_seg.training.out_of_memory import is_out_of_memory
from otx_seg.training.trainer import Trainer

STEPS = 200
"""Steps of a test in which the loss does not diverge."""

SMALLEST = 1e-6
"""The first rate; the last one is the largest that a template may have."""

SHARE_OF_BEST = 0.1
"""The proposed rate, as a share of the one with the lowest smoothed loss: that one is close to where it diverges."""

_SMOOTHING = 0.9  # share of the moving average that remains at each step
_DIVERGED = 4.0  # times the lowest smoothed loss
_FIRST_STEPS = 20  # whose rates are too small to change the loss: they say where it begins, and how much it varies
_NOISE = 2.0  # standard deviations of the first losses


class RatePoint(NamedTuple):
    """A step of the test: its number from 1, its rate, its loss, and the moving average of the losses so far."""

    step: int
    rate: float
    loss: float
    smoothed: float


def rate_at(step: int) -> float:
    """The rate of step `step`, from 0: by the same factor larger than that of the step before."""
    largest = limits(LEARNING_RATE)[1]
    return float(SMALLEST * (largest / SMALLEST) ** (step / (STEPS - 1)))


def measure(trainer: Trainer, on_step: Callable[[RatePoint], None]) -> tuple[RatePoint, ...]:
    """Train with a growing rate until the last one, or until the loss diverges; the network is of no use afterwards.

    Args:
        trainer: has made no step yet.
        on_step: called after each step.

    Raises:
        OutOfMemoryError: memory ran out, and batches cannot be made smaller.
        DataError: an image or a mask cannot be read.
    """
    points: list[RatePoint] = []
    with closing(trainer):
        over = False
        while not over:
            try:
                with lost_in_words(trainer.workers):
                    over = _epoch(trainer, points, on_step)
            except DivergedError:
                over = True
            except Exception as problem:
                if not is_out_of_memory(problem):
                    raise
                trainer.halve_batch(problem)
    return tuple(points)


def _epoch(trainer: Trainer, points: list[RatePoint], on_step: Callable[[RatePoint], None]) -> bool:
    """Make the steps of an epoch; whether the test is over."""
    at = trainer.state
    trainer.loader.batch_sampler.set_epoch(at.epoch, at.batch)
    trainer.model.train()
    for batch in trainer.loader:
        rate = rate_at(at.step)
        loss = float(trainer.step(batch, trainer.progress, rate)["loss"])
        if not math.isfinite(loss):
            return True
        at.step, at.batch = at.step + 1, at.batch + 1
        points.append(RatePoint(at.step, rate, loss, _smoothed(points, loss)))
        on_step(points[-1])
        if at.step == STEPS or _has_diverged(points):
            return True
    at.epoch, at.batch = at.epoch + 1, 0
    return False


def _smoothed(points: Sequence[RatePoint], loss: float) -> float:
    """The moving average with one more loss, as if it had not begun with 0 (Kingma & Ba 2015, "Adam", section 3)."""
    number = len(points)
    before = points[-1].smoothed * (1 - _SMOOTHING**number) if points else 0.0
    return (_SMOOTHING * before + (1 - _SMOOTHING) * loss) / (1 - _SMOOTHING ** (number + 1))


def _has_diverged(points: Sequence[RatePoint]) -> bool:
    settled = points[_FIRST_STEPS - 1 :]
    return bool(settled) and settled[-1].smoothed > _DIVERGED * min(point.smoothed for point in settled)


def proposed_rate(points: Sequence[RatePoint]) -> float | None:
    """A tenth of the rate with the lowest smoothed loss, with two digits; None if the loss did not fall.

    It fell if the lowest smoothed loss is below the mean of the first losses by more than two of their standard
    deviations: a smoothed loss varies by less than a quarter of one.
    """
    first, settled = [point.loss for point in points[:_FIRST_STEPS]], points[_FIRST_STEPS:]
    if not settled:
        return None
    lowest = min(settled, key=lambda point: point.smoothed)
    if lowest.smoothed >= fmean(first) - _NOISE * stdev(first):
        return None
    return float(f"{max(SHARE_OF_BEST * lowest.rate, limits(LEARNING_RATE)[0]):.2g}")
