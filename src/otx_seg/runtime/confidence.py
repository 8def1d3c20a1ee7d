"""How sure a model is of each pixel: the probability of the label that it gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import UsageError
from otx_seg.labels import IGNORE_INDEX

UNKNOWN = IGNORE_INDEX
"""Value in a mask of a pixel whose confidence is too low to name its label."""


def confidence_of(labels: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """The probability (h, w) of each pixel's label (h, w), out of those of all labels (K, h, w)."""
    return np.take_along_axis(probabilities, labels[None].astype(np.intp), axis=0)[0]


class ConfidenceMap:
    """A `Record` that keeps the confidence of each pixel.

    Attributes:
        values: float32 (H, W), 0..1.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        """Of a mask of (H, W) pixels."""
        self.values = np.zeros(size, np.float32)

    def __call__(
        self, rows: slice, columns: slice, labels: NDArray[np.uint8], probabilities: NDArray[np.float32]
    ) -> None:
        """See `Record`."""
        self.values[rows, columns] = confidence_of(labels, probabilities)


def without_unsure(
    make_mask: Callable[[ConfidenceMap | None], NDArray[np.uint8]], size: tuple[int, int], min_confidence: float | None
) -> NDArray[np.uint8]:
    """A mask in which pixels of a lower confidence are `UNKNOWN`.

    Args:
        make_mask: makes the mask, and tells a record of it.
        size: (H, W) in pixels of the mask.
        min_confidence: above 0 and at most 1; None: no pixel is unknown.
    """
    if min_confidence is None:
        return make_mask(None)
    confidence = ConfidenceMap(size)
    mask = make_mask(confidence)
    mask[confidence.values < np.float32(min_confidence)] = UNKNOWN
    return mask


def check_min_confidence(value: float | None) -> None:
    """
    Raises:
        UsageError: `value` is no confidence below which a label can be refused.
    """
    if value is not None and not 0 < value <= 1:
        raise UsageError(f"--min-confidence {value:g}: is above 0 and at most 1")
