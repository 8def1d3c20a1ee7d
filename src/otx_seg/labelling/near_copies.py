"""Images that show the same as another one: recompressed, enlarged, or taken twice with nothing changed in between."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE = 64  # cells of a thumbnail, a side
_MOST_DIFFERENT = 8  # grey levels of 255 between the same cells of two images that show the same


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The mean grey of 64 x 64 cells: uint8 (64, 64), of an image, uint8 (H, W, 3) RGB."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA))


class SeenImages:
    """Finds, among images seen before, one that an image is nearly a copy of.

    Two are near copies where no cell of their thumbnails differs by more than 8 of 255 grey levels. JPEG at a quality
    of 50, or noise of 10 grey levels, changes street scenes of 480 x 360 pixels by no more than 7. A thin scratch
    changes a cell by more, and a fifteenth of a second of a drive by 48 and more. Copies shrunk to half differ by up to
    20 and are not found.
    """

    def __init__(self, thumbnails: Sequence[NDArray[np.uint8]]) -> None:
        """
        Args:
            thumbnails: see `thumbnail`.
        """
        self._seen = np.zeros((max(1, len(thumbnails)), _SIDE, _SIDE), np.uint8)
        self._count = 0
        for one in thumbnails:
            self.add(one)

    def add(self, one: NDArray[np.uint8]) -> None:
        """See one more image."""
        if self._count == len(self._seen):
            self._seen = np.concatenate([self._seen, np.zeros_like(self._seen)])
        self._seen[self._count] = one
        self._count += 1

    def copied(self, one: NDArray[np.uint8]) -> int | None:
        """The number, in the order in which they were seen, of the first image that this one is nearly a copy of."""
        for first in range(0, self._count, 256):  # some at a time, of which copies need little room
            seen = self._seen[first : min(first + 256, self._count)]
            different = np.maximum(seen, one) - np.minimum(seen, one)
            near = np.flatnonzero(different.max(axis=(1, 2)) <= _MOST_DIFFERENT)
            if near.size:
                return first + int(near[0])
        return None
