"""Boundary IoU: how well the outlines of a prediction match those of the truth.

Cheng et al. 2021, "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation", equation 2: the IoU of two
bands. One has the pixels of the true region at most d from its contour, the other those of the predicted region at
most d from its own. Errors inside of large objects, which are most of their area, do not hide those of the outline.

As in the authors' implementation, which erodes a region d times by a 3x3 square, distances are those of a chessboard,
and the border of the image is a contour of the regions that it cuts.

Ignored pixels are as if they were not there, in the truth and under the prediction: they are in no band, and they have
no contour of their own. A pixel is near a contour if one of another label is at most d away, be it on the far side of
ignored ones, as they lie between objects in Pascal VOC.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from otx_seg.labels import IGNORE_INDEX

_PIXELS_AT_ONCE = 1 << 22


def boundary_distance(size: tuple[int, int], width: float) -> int:
    """The distance d in pixels, 1 at least.

    Args:
        size: (height, width) of the image in pixels.
        width: d as a share of the image's diagonal.
    """
    return max(1, round(width * math.hypot(*size)))


def boundary_counts(
    prediction: NDArray[np.uint8], target: NDArray[np.uint8], classes: int, distance: int, rows: int | None = None
) -> Tensor:
    """Count the pixels of the boundary bands of an image, of all labels at once.

    Args:
        prediction: uint8 (H, W), values 0..K-1.
        target: uint8 (H, W), values 0..K-1, or 255 where a pixel does not count.
        classes: number of labels K, at most 255.
        distance: d in pixels, 1 or more.
        rows: how many to work on at once, which bounds the memory and changes no count; None: chosen.

    Returns:
        int64 (K, 3): of each label the pixels in both its bands, in that of the truth, and in that of the prediction.
    """
    height, width = target.shape
    # Each time d rows more are needed above and below: fewer than 2 d at once would more than double the work.
    rows = rows or max(_PIXELS_AT_ONCE // width, 2 * distance)
    counts = np.zeros((3, classes), np.int64)
    for start in range(0, height, rows):
        top, stop = max(0, start - distance), min(height, start + rows)
        seen = slice(top, min(height, stop + distance))
        wanted = slice(start - top, stop - top)
        true = target[seen]
        predicted = np.where(true == IGNORE_INDEX, np.uint8(IGNORE_INDEX), prediction[seen])
        of_truth, of_prediction = (_band(labels, distance)[wanted] for labels in (true, predicted))
        both = of_truth[of_truth == of_prediction]
        for row, labels in zip(counts, (both, of_truth, of_prediction), strict=True):
            row += np.bincount(labels.ravel(), minlength=IGNORE_INDEX + 1)[:classes]
    return torch.from_numpy(counts.T.copy())


def _band(labels: NDArray[np.uint8], distance: int) -> NDArray[np.uint8]:
    """The labels of the pixels that have another label, or the outside of the image, around them; 255 for all others.

    Where the largest and the smallest label of the square around a pixel are the same, all in it have that one.
    """
    ignored = labels == IGNORE_INDEX
    smallest = _over_squares(np.minimum, labels, distance)
    # Ignored pixels are the largest of all: 0 is never larger than the label of a pixel that counts.
    largest = _over_squares(np.maximum, np.where(ignored, np.uint8(0), labels), distance)
    return np.where((smallest != largest) & ~ignored, labels, np.uint8(IGNORE_INDEX))


def _over_squares(extreme: np.ufunc, labels: NDArray[np.uint8], distance: int) -> NDArray[np.uint8]:
    """The smallest or largest value of the square that reaches so far around each pixel; 255 lies outside of the image.

    That of twice as many pixels in a row is that of two such rows: the time grows with the logarithm of the distance.
    """
    found = np.pad(labels, distance, constant_values=IGNORE_INDEX)
    for _ in range(2):
        found, reached = found.T, 1
        while reached <= 2 * distance:
            step = min(reached, 2 * distance + 1 - reached)
            found = extreme(found[step:], found[:-step])
            reached += step
    return found
