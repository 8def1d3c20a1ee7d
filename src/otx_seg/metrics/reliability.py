"""How reliable confidences are: whether of the pixels of confidence p a share p is right.

Reliability diagram and expected calibration error: Guo et al., 2017, https://arxiv.org/abs/1706.04599, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15
"""Of equal width between 0 and 1, as in the paper: bin m holds confidences above (m - 1) / 15, up to m / 15."""


@dataclass(frozen=True)
class Reliability:
    """What is counted of labelled pixels, by bins of their confidence; counts of several images can be added.

    Attributes:
        pixels: in each bin.
        correct: pixels in each bin whose label is the true one.
        confidence: sum of the confidences in each bin.
    """

    pixels: tuple[int, ...] = (0,) * BINS
    correct: tuple[int, ...] = (0,) * BINS
    confidence: tuple[float, ...] = (0.0,) * BINS

    def __add__(self, other: Reliability) -> Reliability:
        pairs = ((self.pixels, other.pixels), (self.correct, other.correct), (self.confidence, other.confidence))
        return Reliability(*(tuple(map(sum, zip(*pair, strict=True))) for pair in pairs))

    @property
    def error(self) -> float | None:
        """The expected calibration error, 0..1: over the bins, the mean difference between the share of right pixels
        and the mean confidence, weighted by pixels; None without pixels."""
        total = sum(self.pixels)
        gaps = (abs(right - sure) for right, sure in zip(self.correct, self.confidence, strict=True))
        return sum(gaps) / total if total else None

    def curve(self) -> list[tuple[float, float, int]]:
        """(mean confidence, share of right pixels, pixels) of each bin that is not empty."""
        bins = zip(self.confidence, self.correct, self.pixels, strict=True)
        return [(sure / pixels, right / pixels, pixels) for sure, right, pixels in bins if pixels]

    def as_json(self) -> dict[str, Any]:
        """As in ``performance.json``; the curve is that of `curve`."""
        names = ("confidence", "accuracy", "pixels")
        curve = [dict(zip(names, point, strict=True)) for point in self.curve()]
        return {"expected_calibration_error": self.error, "bins": BINS, "curve": curve}


def reliability_of(confidence: NDArray[np.float32], correct: NDArray[np.bool_]) -> Reliability:
    """Count pixels.

    Args:
        confidence: (N,), 0..1.
        correct: (N,), whether the label is the true one.
    """
    place = np.clip(np.ceil(confidence * np.float32(BINS)).astype(np.intp) - 1, 0, BINS - 1)
    pixels, right = (np.bincount(chosen, minlength=BINS).tolist() for chosen in (place, place[correct]))
    sums = np.bincount(place, weights=confidence, minlength=BINS).tolist()
    return Reliability(tuple(pixels), tuple(right), tuple(sums))
