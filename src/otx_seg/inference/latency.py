"""How long models take for an image, compared fairly."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from otx_seg.runtime.predictor import Answer, Predictor, answer_of

_ROUNDS = 20
_CALLS = 5  # of each model in a round; the first is not counted: caches and threads are still the other model's
_LIMIT_S = 10.0


def compare_latency(predictors: Sequence[Predictor]) -> list[float]:
    """The median time each model takes for one image, in seconds, preparation and masks left out.

    The models take turns, so that whatever else the machine does slows all of them alike: the ratios can be trusted,
    the times themselves only as far as the machine is quiet. It takes a few seconds, and at least two rounds.

    Args:
        predictors: models that take images of their own `input_size`.
    """
    images = [np.zeros((1, 3, *predictor.input_size), np.uint8) for predictor in predictors]
    times: list[list[float]] = [[] for _ in predictors]
    began = time.perf_counter()
    for done in range(_ROUNDS):
        if done >= 2 and time.perf_counter() - began > _LIMIT_S:
            break
        for predictor, image, found in zip(predictors, images, times, strict=True):
            found += timed_calls(partial(bare_call(predictor), image), least=_CALLS - 1)
    return [statistics.median(found) for found in times]


def bare_call(predictor: Predictor) -> Callable[[NDArray[np.uint8]], Answer]:
    """How a model works on one image, uint8 (1, 3, h, w), without a copy of the result that its program does not make.

    Copying takes a share of a small network's time that changes with the state of the memory, and blurs comparisons.
    """
    call: Callable[[NDArray[np.uint8]], Answer]
    call = getattr(predictor, "borrowed_answer", partial(answer_of, predictor))
    return call


def timed_calls(
    call: Callable[[], object], least: int = 1, warm_up_s: float = 0.0, seconds: float = 0.0
) -> list[float]:
    """How long single calls take, one after another, in seconds.

    Args:
        call: what is timed. The first call is not counted, nor are those that begin within `warm_up_s`: caches and
            threads are still those of whatever ran before.
        least: number of counted calls at least.
        warm_up_s, seconds: how long calls are made without and with counting them; the last ones end later.
    """
    began = time.perf_counter()
    call()
    while time.perf_counter() - began < warm_up_s:
        call()
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < least or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times
