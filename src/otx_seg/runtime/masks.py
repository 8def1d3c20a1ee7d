"""From class probabilities to an index mask at an image's own size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

PIXELS_AT_ONCE = 1 << 17
"""Output pixels worked on at a time: few enough that one band's planes stay in a core's cache."""

_PIXELS_IN_ONE_PIECE = 1 << 19
"""Masks up to this size are made without bands, whose bookkeeping takes longer than the cache saves."""

_ALMOST_ONE = 0.999
"""Interpolated numbers are rounded: sums of them may be this much smaller than they should be."""


LARGEST_BLUR = 255
"""Of a `PostProcessing`, in pixels."""


@dataclass(frozen=True)
class PostProcessing:
    """What happens to the probabilities before the largest one wins, as in OpenVINO Model API.

    Attributes:
        soft_threshold: probabilities below this are set to 0, so that a pixel where all are becomes label 0.
            At most 0.0: none are.
        blur_strength: side in pixels of the box filter that smooths each label's probabilities before the threshold.
            1: no smoothing. -1: neither smoothing nor threshold.
    """

    soft_threshold: float
    blur_strength: int

    @property
    def reach(self) -> int:
        """How many pixels away a probability can lie that a pixel's label depends on."""
        return self.blur_strength // 2 if self.blur_strength > 1 and self.soft_threshold != float("inf") else 0

    def apply(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Smoothed and thresholded probabilities (K, h, w); the argument itself where nothing is to be done."""
        if self.blur_strength == -1 or self.soft_threshold == float("inf"):
            return probabilities
        if self.blur_strength > 1:
            kernel = (self.blur_strength, self.blur_strength)
            probabilities = np.stack([cv2.blur(plane, kernel) for plane in probabilities])
        if self.soft_threshold > 0:
            probabilities = np.where(probabilities < self.soft_threshold, np.float32(0), probabilities)
        return probabilities


PLAIN_ARGMAX = PostProcessing(soft_threshold=0.0, blur_strength=1)
"""The largest probability wins, nothing else."""


def mask_at(
    probabilities: NDArray[np.float32], size: tuple[int, int], post_processing: PostProcessing = PLAIN_ARGMAX
) -> NDArray[np.uint8]:
    """The index mask of one image at its original size.

    The probabilities are resized bilinearly with half-pixel centres (``cv2.INTER_LINEAR``, torch's ``bilinear`` with
    ``align_corners=False``), then the largest wins; of equal ones the lowest label. Memory beyond the result is
    bounded: bands of rows are worked on one after another, and no pixel's value depends on where a band begins.

    Args:
        probabilities: float32 (K, h, w), K at most 255.
        size: (height, width) in pixels of the result.
        post_processing: applied at the probabilities' own size.

    Returns:
        uint8 (height, width), values 0..K-1.
    """
    height, width = size
    probabilities = post_processing.apply(probabilities)
    labels = np.zeros((height, width), np.uint8)
    if height * width <= _PIXELS_IN_ONE_PIECE:
        largest((cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in probabilities), labels)
        return labels
    upper, lower, share = neighbours(probabilities.shape[1], height)
    least_sum = float(probabilities.sum(axis=0).min())
    rows = max(1, PIXELS_AT_ONCE // width)
    for start in range(0, height, rows):
        band = slice(start, start + rows)
        above, below = upper[band], lower[band]
        possible = _possible(probabilities[:, above[0] : below[-1] + 1], least_sum)
        planes = (_stretch(probabilities[k][above], probabilities[k][below], share[band], width) for k in possible)
        largest(planes, labels[band])
        if len(possible) < len(probabilities):
            labels[band] = possible[labels[band]]
    return labels


def _possible(probabilities: NDArray[np.float32], least_sum: float) -> NDArray[np.uint8]:
    """The labels that can be the largest between these pixels, in ascending order; in most places few can.

    Interpolation keeps sums, and no label grows beyond its largest value. So where labels of small values sum up to s
    at most, one of the n others has at least (least_sum - s) / n, and is larger than any label that has not as much.

    Args:
        probabilities: float32 (K, h, w).
        least_sum: of the probabilities of any pixel.
    """
    tops = probabilities.max(axis=(1, 2))
    order = np.argsort(tops)
    left_out = 0
    remainder = least_sum * _ALMOST_ONE
    while left_out < len(order) - 1 and tops[order[left_out]] < remainder / (len(order) - left_out):
        remainder -= float(tops[order[left_out]])
        left_out += 1
    return np.sort(order[left_out:]).astype(np.uint8)


def neighbours(source: int, target: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """For each of `target` rows: the source row above, the one below, and the share (target, 1) of the one below."""
    position = np.clip((np.arange(target) + 0.5) * (source / target) - 0.5, 0, source - 1)
    upper = np.floor(position).astype(np.intp)
    lower = np.minimum(upper + 1, source - 1)
    return upper, lower, (position - upper).astype(np.float32)[:, None]


def _stretch(
    above: NDArray[np.float32], below: NDArray[np.float32], share: NDArray[np.float32], width: int
) -> NDArray[np.float32]:
    """Mix the rows (rows, w) vertically, then resize them to (rows, width)."""
    mixed = below - above
    mixed *= share
    mixed += above
    resized: NDArray[np.float32] = cv2.resize(mixed, (width, len(mixed)), interpolation=cv2.INTER_LINEAR)
    return resized


def largest(planes: Iterable[NDArray[np.float32]], labels: NDArray[np.uint8]) -> None:
    """Write into `labels`, all 0, which of the planes (rows, width) is the largest at each pixel."""
    # numpy's argmax over the first axis walks memory with a large stride: this loop took a quarter of its time.
    remaining = iter(planes)
    best = next(remaining)
    for index, plane in enumerate(remaining, start=1):
        larger = cv2.compare(plane, best, cv2.CMP_GT)  # 255 where true
        # Later labels have larger numbers, so the last one that was larger is the maximum.
        np.maximum(labels, np.bitwise_and(larger, np.uint8(index), out=larger), out=labels)
        cv2.max(best, plane, dst=best)
