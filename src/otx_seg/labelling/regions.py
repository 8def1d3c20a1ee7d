"""Connected regions in which a confident network contradicts a mask, and what that says about the mask."""

from __future__ import annotations

import functools
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.datasets.check.mask_faults import Kind
from otx_seg.labelling.judgement import Judgement
from otx_seg.labels import IGNORE_INDEX

SMALLEST_SHARE = 0.0005
"""Of an image's pixels; smaller regions are not looked at."""
_THIN = 0.01
"""A region whose pixels are all nearer to its border than this share of the image's diagonal is a band."""
_MOSTLY = 0.5
"""Share of an object that makes a region the object itself."""

Flags = NDArray[np.bool_]


class Region(NamedTuple):
    """Connected pixels of one label in the mask and another one in the prediction.

    Attributes:
        in_mask, predicted: these labels.
        pixels: how many.
        weight: the same, each counted by the logarithm of how many times more probable the network finds its label than
            the mask's, as a share of that of 255 times, 0..1.
        box: x, y, width and height in pixels.
        kind: what seems to be wrong.
    """

    in_mask: int
    predicted: int
    pixels: int
    weight: float
    box: tuple[int, int, int, int]
    kind: Kind


def confident(judgement: Judgement, thresholds: NDArray[np.float64]) -> Flags:
    """Where a network is sure of a label that is not the mask's: its probability is at least the threshold of that
    label.

    Args:
        thresholds: float64 (K,), see `judge_masks`.

    Returns:
        bool (H, W).
    """
    sure = judgement.confidence >= 255 * thresholds[judgement.predicted]
    counts = judgement.mask != IGNORE_INDEX
    return np.asarray(sure & counts & (judgement.mask != judgement.predicted))


def regions_of(judgement: Judgement, sure: Flags, background: int | None) -> list[Region]:
    """The regions of an image that are not tiny.

    Args:
        sure: bool (H, W), see `confident`.
        background: the label of it, or None.
    """
    return _Finder(judgement, background).find(sure)


class _Finder:
    def __init__(self, judgement: Judgement, background: int | None) -> None:
        self._judgement, self._background = judgement, background
        height, width = judgement.mask.shape
        self._smallest = SMALLEST_SHARE * height * width
        self._thin = _THIN * float(np.hypot(height, width))
        self._objects = functools.cache(self._find_objects)

    def find(self, sure: Flags) -> list[Region]:
        mask, predicted = self._judgement.mask, self._judgement.predicted
        pairs = mask[sure].astype(np.int64) * 256 + predicted[sure]
        codes, counts = np.unique(pairs, return_counts=True)
        found = []
        for code in codes[counts >= self._smallest].tolist():
            labels = divmod(code, 256)
            inside = sure & (mask == labels[0]) & (predicted == labels[1])
            number, marked, figures, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8))
            for each in range(1, number):
                if figures[each, cv2.CC_STAT_AREA] >= self._smallest:
                    x, y, width, height = figures[each, :4].tolist()
                    place = (slice(y, y + height), slice(x, x + width))
                    found.append(self._described(labels, place, marked[place] == each))
        return found

    def _described(self, labels: tuple[int, int], place: tuple[slice, slice], inside: Flags) -> Region:
        sure, given = (np.maximum(part[place][inside], 1) for part in self._judgement[2:])
        ratio = np.log(sure.astype(np.float64)) - np.log(given.astype(np.float64))
        kind = self._kind(labels, place, inside)
        rows, columns = place
        box = (columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
        return Region(*labels, int(inside.sum()), float(ratio.clip(0).sum() / np.log(255)), box, kind)

    def _kind(self, labels: tuple[int, int], place: tuple[slice, slice], inside: Flags) -> Kind:
        """What is wrong with the mask in a region.

        1. A thin region is a border that lies elsewhere.
        2. Where the mask has background, or the region is an object of the prediction and a part of something larger in
           the mask, it is missing there.
        3. Where the network sees background, or the region is an object of the mask in the midst of what the network
           sees there, it is one too many.
        4. All else has another label.
        """
        in_mask, predicted = labels
        if _depth(inside) < self._thin:
            return "shifted border"
        whole_mask, whole_predicted = (
            self._is_object(where, label, place, inside)
            for where, label in (("mask", in_mask), ("predicted", predicted))
        )
        if in_mask == self._background or (whole_predicted and not whole_mask):
            return "missing region"
        if predicted == self._background or (whole_mask and not whole_predicted):
            return "extra region"
        return "other label"

    def _is_object(self, where: str, label: int, place: tuple[slice, slice], inside: Flags) -> bool:
        """Whether a region is most of the object of this label that it is in."""
        marked, areas = self._objects(where, label)
        numbers = np.bincount(marked[place][inside], minlength=1)
        return bool(inside.sum() >= _MOSTLY * areas[numbers.argmax()])

    def _find_objects(self, where: str, label: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The objects of a label in the mask or in the prediction: the number of each pixel's, and their pixels."""
        flags = (getattr(self._judgement, where) == label).astype(np.uint8)
        _, marked, figures, _ = cv2.connectedComponentsWithStats(flags)
        return marked, figures[:, cv2.CC_STAT_AREA]


def _depth(inside: Flags) -> float:
    """How far the innermost pixel of a region is from its border, in pixels."""
    padded = np.pad(inside.astype(np.uint8), 1)
    return float(cv2.distanceTransform(padded, cv2.DIST_L2, 3).max())
