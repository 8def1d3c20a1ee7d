"""The regions of a mask: connected pixels of one label."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.contours import Contour, bridged, contour_with_holes, junctions_of, moved_inwards, simplified

_CONNECTED_TO = 8  # neighbours of a pixel


@dataclass(frozen=True)
class MaskRegion:
    """One of them.

    Attributes:
        label: its index.
        left, top: of the box around it, in pixels.
        inside: bool (h, w), its pixels in that box.
        junctions: see `junctions_of`, of the whole mask.
    """

    label: int
    left: int
    top: int
    inside: NDArray[np.bool_]
    junctions: NDArray[np.bool_]

    @functools.cached_property
    def pixels(self) -> int:
        """How many it has."""
        return int(np.count_nonzero(self.inside))

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, width and height in pixels."""
        return self.left, self.top, self.inside.shape[1], self.inside.shape[0]

    @functools.cached_property
    def _contours(self) -> tuple[Contour, list[Contour]]:
        return contour_with_holes(self.inside, self.left, self.top, self.junctions)

    @property
    def has_holes(self) -> bool:
        """Whether a polygon needs cuts to hold it."""
        return bool(self._contours[1])

    def polygon(self, tolerance: float, inset: float = 0.0) -> NDArray[np.float64]:
        """Its contour, with cuts to its holes, simplified; see `contours`.

        Args:
            tolerance: in pixels, see `simplified`.
            inset: by how many pixels each side is moved inwards, see `moved_inwards`.

        Returns:
            float64 (N, 2), x and y in pixels from the image's top left corner.
        """
        outer, holes = self._contours
        contour = bridged(outer, holes, self.inside, self.left, self.top)
        kept = simplified(contour, tolerance)
        if inset:
            return moved_inwards(contour, kept, inset, self.inside, self.left, self.top)
        return np.asarray(contour.points[kept])

    def runs_in_columns(self, size: tuple[int, int]) -> NDArray[np.int64]:
        """Its run-length code in an image of `size` (H, W), column by column, the first run outside."""
        return _run_lengths(self.inside.T, self.left, self.top, size[::-1])

    def runs_in_rows(self, size: tuple[int, int]) -> NDArray[np.int64]:
        """The same row by row."""
        return _run_lengths(self.inside, self.top, self.left, size)

    def runs_in_box(self) -> NDArray[np.int64]:
        """The same row by row in the box around it."""
        return _run_lengths(self.inside, 0, 0, self.inside.shape)


def _run_lengths(inside: NDArray[np.bool_], row: int, column: int, size: tuple[int, ...]) -> NDArray[np.int64]:
    """Row by row in an array of `size`, in which `inside` begins in that row and column; runs that touch are one."""
    changes = np.diff(np.pad(inside.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    places = (np.arange(len(inside))[:, None] + row) * size[1] + np.arange(changes.shape[1]) + column
    starts, ends = places[changes == 1], places[changes == -1]
    apart = starts[1:] > ends[:-1]
    starts, ends = starts[np.append(True, apart)], ends[np.append(apart, True)]
    lengths = np.diff(np.stack([starts, ends], axis=1).reshape(-1), prepend=0, append=size[0] * size[1])
    return lengths if lengths[-1] else lengths[:-1]


class MaskRegions:
    """The regions of a mask, made one at a time when they are looked through, the largest first.

    Attributes:
        size: (H, W) of the mask in pixels.
        left_out: how many regions are not among them for their confidence.
    """

    def __init__(
        self,
        mask: NDArray[np.uint8],
        labels: Collection[int],
        confidence: NDArray[np.float32] | None = None,
        min_confidence: float = 0.0,
    ) -> None:
        """
        Args:
            mask: uint8 (H, W), label indices below 255.
            labels: the indices of those whose regions are wanted.
            confidence: float32 (H, W), 0..1.
            min_confidence: regions with a lower mean are left out.
        """
        self.size = (mask.shape[0], mask.shape[1])
        self._mask, self._labels = mask, labels
        self._number = np.zeros(mask.shape, np.int32)  # of the region of each pixel, from 1
        self._found: list[tuple[int, int, tuple[slice, slice], int]] = []  # pixels, number, box, label
        self.left_out = self._numbers_used = 0
        for label in sorted(labels):
            self._add(label, confidence, min_confidence)
        self._found.sort(key=lambda region: (-region[0], region[1]))

    def _add(self, label: int, confidence: NDArray[np.float32] | None, min_confidence: float) -> None:
        of_label = self._mask == label
        if not of_label.any():
            return
        count, numbers, stats, _ = cv2.connectedComponentsWithStats(of_label.view(np.uint8), connectivity=_CONNECTED_TO)
        before = self._numbers_used
        self._numbers_used += count - 1
        np.add(self._number, numbers + before, out=self._number, where=of_label)
        for number, (left, top, width, height, pixels) in enumerate(stats[1:count].tolist(), 1):
            box = slice(top, top + height), slice(left, left + width)
            if confidence is not None and confidence[box][numbers[box] == number].mean() < min_confidence:
                self.left_out += 1
                continue
            self._found.append((pixels, before + number, box, label))

    def __len__(self) -> int:
        return len(self._found)

    @functools.cached_property
    def _junctions(self) -> NDArray[np.bool_]:
        return junctions_of(self._mask)

    def __iter__(self) -> Iterator[MaskRegion]:
        for _, number, box, label in self._found:
            inside = self._number[box] == number
            yield MaskRegion(label, box[1].start, box[0].start, inside, self._junctions)
