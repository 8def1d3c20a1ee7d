"""From class probabilities to an index mask at an image's own size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

PIXELS_AT_ONCE = 1 << 17
"""Output pixels worked on at a time: few enough that one band's planes stay in a core's cache."""

_PIXELS_IN_ONE_PIECE = 1 << 19
"""Masks up to this size are made without bands, whose bookkeeping takes longer than the cache saves."""

_ALMOST_ONE = 0.999
"""Interpolated numbers are rounded: sums of them may be this much smaller than they should be."""


Record = Callable[[slice, slice, NDArray[np.uint8], NDArray[np.float32]], None]
"""Is given each part of a mask once: its rows and columns, its labels (h, w), and the smoothed probabilities
(K, h, w), at the mask's size, that these were decided from, calibrated."""

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

    @property
    def is_plain(self) -> bool:
        """Whether nothing happens."""
        return self.reach == 0 and not self._cuts

    @property
    def _cuts(self) -> bool:
        return self.blur_strength != -1 and 0 < self.soft_threshold < float("inf")

    def smoothed(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """(K, h, w), smoothed; the argument itself where nothing is to be done."""
        if self.reach == 0:
            return probabilities
        kernel = (self.blur_strength, self.blur_strength)
        return np.stack([cv2.blur(plane, kernel) for plane in probabilities])

    def thresholded(self, smoothed: NDArray[np.float32]) -> NDArray[np.float32]:
        """(K, h, w) with 0 below the threshold; the argument itself where nothing is to be done."""
        return np.where(smoothed < self.soft_threshold, np.float32(0), smoothed) if self._cuts else smoothed


PLAIN_ARGMAX = PostProcessing(soft_threshold=0.0, blur_strength=1)
"""The largest probability wins, nothing else."""


def mask_at(
    probabilities: NDArray[np.float32],
    size: tuple[int, int],
    post_processing: PostProcessing = PLAIN_ARGMAX,
    record: Record | None = None,
) -> NDArray[np.uint8]:
    """The index mask of one image at its original size.

    The probabilities are resized bilinearly with half-pixel centres (``cv2.INTER_LINEAR``, torch's ``bilinear`` with
    ``align_corners=False``), then the largest wins; of equal ones the lowest label. Memory beyond the result is
    bounded: bands of rows are worked on one after another, and no pixel's value depends on where a band begins.

    Args:
        probabilities: float32 (K, h, w), K at most 255.
        size: (height, width) in pixels of the result.
        post_processing: applied at the probabilities' own size.
        record: see `Record`.

    Returns:
        uint8 (height, width), values 0..K-1.
    """
    height, width = size
    smooth = post_processing.smoothed(probabilities)
    decided = post_processing.thresholded(smooth)
    labels = np.zeros((height, width), np.uint8)
    if height * width <= _PIXELS_IN_ONE_PIECE:
        decide(partial(_resize, size=size), smooth, decided, labels, (slice(0, height), slice(0, width)), record)
        return labels
    upper, lower, share = neighbours(probabilities.shape[1], height)
    least_sum = float(decided.sum(axis=0).min())
    rows = max(1, PIXELS_AT_ONCE // width)
    for start in range(0, height, rows):
        band = slice(start, min(height, start + rows))
        part = slice(upper[start], lower[band.stop - 1] + 1)
        above, below = upper[band] - part.start, lower[band] - part.start
        stretch = partial(_stretch, above=above, below=below, share=share[band], width=width)
        if record is not None:
            decide(stretch, smooth[:, part], decided[:, part], labels[band], (band, slice(0, width)), record)
            continue
        possible = _possible(decided[:, part], least_sum)
        largest(stretch(decided[k, part] for k in possible), labels[band])
        if len(possible) < len(probabilities):
            labels[band] = possible[labels[band]]
    return labels


def decide(
    resize: Callable[[Iterable[NDArray[np.float32]]], Iterator[NDArray[np.float32]]],
    smooth: NDArray[np.float32],
    decided: NDArray[np.float32],
    labels: NDArray[np.uint8],
    place: tuple[slice, slice],
    record: Record | None,
) -> None:
    """Write into `labels`, all 0, which label is the largest in a part of a mask.

    Args:
        resize: planes (h, w) to planes of the shape of `labels`, which are new arrays.
        smooth: the smoothed probabilities, float32 (K, h, w).
        decided: the same with the threshold applied; the same object where there is none.
        place: the part's rows and columns in the mask, for `record`.
    """
    if record is None:
        largest(resize(decided), labels)
        return
    planes = np.stack(list(resize(smooth)))
    largest(iter((planes[0].copy(), *planes[1:])) if decided is smooth else resize(decided), labels)
    record(*place, labels, planes)


def _resize(planes: Iterable[NDArray[np.float32]], size: tuple[int, int]) -> Iterator[NDArray[np.float32]]:
    return (np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR)) for plane in planes)


def mask_from(
    answer: NDArray[np.float32] | NDArray[np.uint8],
    size: tuple[int, int],
    post_processing: PostProcessing = PLAIN_ARGMAX,
    record: Record | None = None,
) -> NDArray[np.uint8]:
    """The index mask of one image at its original size, from what a model says of it, see `answer_of`.

    Args:
        answer: probabilities, float32 (K, h, w), see `mask_at`; or labels, uint8 (h, w): each pixel gets that of the
            nearest one.
        size: (height, width) in pixels of the result.
        post_processing: of probabilities.
        record: see `Record`; labels alone have nothing to tell.
    """
    if answer.dtype == np.uint8:
        return np.asarray(cv2.resize(answer, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    return mask_at(answer.astype(np.float32, copy=False), size, post_processing, record)


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
    planes: Iterable[NDArray[np.float32]],
    above: NDArray[np.intp],
    below: NDArray[np.intp],
    share: NDArray[np.float32],
    width: int,
) -> Iterator[NDArray[np.float32]]:
    """Mix rows of planes (h, w) vertically, see `neighbours`, then resize them to (rows, width)."""
    for plane in planes:
        upper = plane[above]
        mixed = plane[below] - upper
        mixed *= share
        mixed += upper
        yield cv2.resize(mixed, (width, len(mixed)), interpolation=cv2.INTER_LINEAR)


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
