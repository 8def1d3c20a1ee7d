"""Run-length codes: how many pixels one after the other lie outside of an object, then inside, then outside, ...

Everything is checked here: the tools that write such codes read past their ends when they are damaged.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST_CHARACTERS = 7  # of one length, five bits each: more than any image needs
_GOES_ON, _IS_NEGATIVE, _BITS = 32, 16, 31


def run_lengths(counts: Any, pixels: int) -> NDArray[np.int64]:
    """The lengths of the runs of an object, the first one outside.

    Args:
        counts: whole numbers, or COCO's compressed text.
        pixels: what they have to add up to.

    Raises:
        ValueError: they do not, or it is no such code.
    """
    lengths = _of_text(counts) if isinstance(counts, str) else _of_numbers(counts)
    if ((lengths < 0) | (lengths > pixels)).any():
        wrong = lengths[(lengths < 0) | (lengths > pixels)][0]
        raise ValueError(f"its run-length code has a run of {wrong} pixels")
    if lengths.sum() != pixels:
        raise ValueError(f"its run-length code is for {lengths.sum()} pixels")
    return lengths


def pixels_inside(counts: Any) -> int:
    """How many pixels an object has by its run-length code. Raises ValueError as `run_lengths`."""
    lengths = _of_text(counts) if isinstance(counts, str) else _of_numbers(counts)
    return int(lengths[1::2].sum())


def _of_numbers(counts: Any) -> NDArray[np.int64]:
    if not isinstance(counts, (list, np.ndarray)):
        raise ValueError("its run-length code is neither a list nor a text")
    found = np.asarray(counts)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iuf") or (found != np.trunc(found)).any():
        raise ValueError("its run-length code has what is not an integer")
    if (np.abs(found) > np.iinfo(np.int32).max).any():
        raise ValueError(f"its run-length code has a run of {np.abs(found).max():.10g} pixels")
    return found.astype(np.int64)


def _of_text(text: str) -> NDArray[np.int64]:
    """COCO's compression: five bits in each character, the lowest first, and from the fourth number on differences."""
    if not text.isascii():
        raise ValueError("its run-length code has letters outside ASCII")
    codes = np.frombuffer(text.encode(), np.uint8).astype(np.int64) - ord("0")
    if not codes.size or codes.min() < 0 or codes.max() >= 2 * _GOES_ON or codes[-1] & _GOES_ON:
        raise ValueError("its run-length code is damaged")
    ends = np.flatnonzero(codes & _GOES_ON == 0)
    starts = np.concatenate(([0], ends[:-1] + 1))
    characters = ends - starts + 1
    if characters.max() > _MOST_CHARACTERS:
        raise ValueError("its run-length code is damaged")
    places = np.arange(codes.size) - np.repeat(starts, characters)
    lengths = np.add.reduceat((codes & _BITS) << 5 * places, starts)
    lengths -= np.where(codes[ends] & _IS_NEGATIVE, 1 << 5 * characters, 0)
    for first in (1, 2):
        lengths[first::2] = np.cumsum(lengths[first::2])
    return lengths
