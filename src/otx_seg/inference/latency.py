"""How long models take for an image, compared fairly."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import numpy as np

from otx_seg.runtime.predictor import Predictor

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
            for call in range(_CALLS):
                start = time.perf_counter()
                predictor.probabilities(image)
                if call:
                    found.append(time.perf_counter() - start)
    return [statistics.median(found) for found in times]
