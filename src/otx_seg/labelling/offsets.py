"""By how much a mask would have to be moved to fit a prediction best."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from otx_seg.labelling.judgement import Judgement
from otx_seg.labels import IGNORE_INDEX

REACH = 16
"""Pixels by which a mask is moved at most, to each side."""
STEP = 2
_STEPS = range(-REACH, REACH + 1, STEP)
_BESIDES = 0.5
"""A move along the other axis is one, too, if it gains at least this share of what the better one does."""
_STILL = 2
"""Pixels by which a mask may lie beside a prediction for other reasons: networks answer for squares of pixels."""


class Offset(NamedTuple):
    """Where a mask would fit a prediction best.

    Attributes:
        right, down: the move that the mask needs, in pixels; 0 where none of more than 2 pixels helps.
        gain: the share of the pixels that agree after this move and do not before, 0..1.
    """

    right: int
    down: int
    gain: float


def best_offset(judgement: Judgement) -> Offset:
    """Move a mask along each axis by up to 16 pixels, in steps of 2, and compare it with the prediction."""
    height, width = judgement.mask.shape
    if min(height, width) <= 4 * REACH:
        return Offset(0, 0, 0.0)
    right, gain = _along(judgement.mask, judgement.predicted, axis=1)
    down, other_gain = _along(judgement.mask, judgement.predicted, axis=0)
    most = max(gain, other_gain)
    return Offset(right * (gain >= _BESIDES * most), down * (other_gain >= _BESIDES * most), most)


def _along(mask: NDArray[np.uint8], predicted: NDArray[np.uint8], axis: int) -> tuple[int, float]:
    """The best move along an axis, and the gain; both 0 where the mask fits best as it is, or the better the farther it
    is moved, so that something else is wrong."""
    inner = predicted[REACH:-REACH, REACH:-REACH]
    agreed = {}
    for step in _STEPS:
        moved = np.roll(mask, step, axis)[REACH:-REACH, REACH:-REACH]
        counts = int(np.count_nonzero(moved != IGNORE_INDEX))
        agreed[step] = int(np.count_nonzero(moved == inner)) / max(1, counts)
    best = max(agreed, key=lambda step: agreed[step])
    gain = agreed[best] - max(agreed[step] for step in agreed if abs(step) <= _STILL)
    return (best, gain) if gain > 0 and abs(best) < REACH else (0, 0.0)
