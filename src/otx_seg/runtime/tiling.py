"""Covering a length with overlapping pieces, and how much each piece counts where."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def starts(length: int, side: int, overlap: float) -> list[int]:
    """Where pieces of `side` begin that cover `length`, at least `side`; neighbours share `overlap` of it or more.

    There are as few as possible, spread evenly, so that none reaches over the end.
    """
    stride = max(1, int(side * (1 - overlap)))
    gaps = -((side - length) // stride)
    return [0, *(round(number * (length - side) / gaps) for number in range(1, gaps + 1))]


def shares(begins: Sequence[int], side: int) -> list[NDArray[np.float32]]:
    """How much each piece counts at each of its places, float32 (side,); at every place the pieces' shares sum to 1.

    What a piece counts falls linearly from its middle to its ends, where it is not quite 0: a network knows least
    about what it sees at the edge.

    Args:
        begins: as of `starts`.
    """
    ramp = np.minimum(np.arange(1, side + 1), np.arange(side, 0, -1)).astype(np.float64)
    total = np.zeros(begins[-1] + side)
    for begin in begins:
        total[begin : begin + side] += ramp
    return [(ramp / total[begin : begin + side]).astype(np.float32) for begin in begins]
