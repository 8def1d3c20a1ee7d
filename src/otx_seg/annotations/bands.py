"""Planes of pixels looked through in bands of rows, since NumPy widens what it counts or sorts to 8 bytes a pixel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_PIXELS = 1 << 18  # of a band: 2 MB in 8 bytes each, which fits into a processor's cache


def bands(plane: NDArray, overlap: int = 0) -> Iterator[NDArray]:
    """An array in bands of whole rows, from top to bottom, as views.

    Args:
        plane: (H, W, ...).
        overlap: rows that each band but the first shares with the one before.
    """
    rows = max(1, _PIXELS // max(1, plane.shape[1]))
    for top in range(0, len(plane), rows):
        yield plane[max(0, top - overlap) : top + rows]


def count_values(plane: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How many pixels have each value.

    Args:
        plane: uint8 (H, W).

    Returns:
        int64 (256,).
    """
    counts = np.zeros(256, np.int64)
    for band in bands(plane):
        counts += np.bincount(band.reshape(-1), minlength=256)
    return counts


def values_in(plane: NDArray) -> NDArray:
    """The values that occur in whole numbers (H, W), in ascending order."""
    return np.unique(np.concatenate([np.unique(band) for band in bands(plane)]))
