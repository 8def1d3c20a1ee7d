"""How certain a model is of an image: maps of its probabilities, their figures for the image as a whole, and whether
they hold."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otx_seg.inference.predict_settings import CONFIDENCE, PROBABILITIES, PredictSettings
from otx_seg.labels import IGNORE_INDEX
from otx_seg.metrics.reliability import Reliability, reliability_of
from otx_seg.runtime.confidence import confidence_of
from otx_seg.runtime.masks import Record

_BYTES_IN_MEMORY = 1 << 26
"""Of the probabilities of an image; more are kept in a file until they are written."""


@dataclass(frozen=True)
class Certainty:
    """Figures of one image.

    Attributes:
        mean_confidence: over the pixels, 0..1.
        mean_entropy: of the probabilities of a pixel, in bits, 0 to log2 of the number of labels; the mean.
        below_threshold: share of the pixels, 0..1, whose confidence is lower than the threshold.
        per_label: share of the pixels, 0..1, of each label in the mask.
    """

    mean_confidence: float
    mean_entropy: float
    below_threshold: float
    per_label: tuple[float, ...]


class CertaintyRecord:
    """Gathers what `predict_mask` tells of its decisions, see `Record`.

    A pixel's confidence is the calibrated probability of its label in the mask, after smoothing. Where the mask is
    decided by a soft threshold, that may not be the highest one: of pixels where all are below, it is that of label 0.
    """

    def __init__(self, size: tuple[int, int], classes: int, how: PredictSettings, folder: Path) -> None:
        """
        Args:
            size: (H, W) in pixels of the mask.
            folder: for what does not fit into memory, until `close`; made if missing.

        Raises:
            OSError: nothing can be written there; so do calls.
        """
        self._size, self._classes, self._threshold = size, classes, how.confidence_threshold
        self._type: Any = np.uint8 if how.save_bits == 8 else np.uint16
        self.confidence = np.zeros(size, self._type) if CONFIDENCE in how.save else None
        self._kept = None
        if PROBABILITIES in how.save:
            folder.mkdir(parents=True, exist_ok=True)
            self._kept = tempfile.SpooledTemporaryFile(_BYTES_IN_MEMORY, dir=str(folder))  # noqa: SIM115  (see `close`)
        self._parts: list[tuple[slice, slice]] = []
        self._confidence = self._entropy = 0.0
        self._below = 0
        self._pixels = np.zeros(classes, np.int64)

    @property
    def nbytes(self) -> int:
        """Of all `probability_maps` together."""
        return self._classes * self._size[0] * self._size[1] * np.dtype(self._type).itemsize

    def __call__(
        self, rows: slice, columns: slice, labels: NDArray[np.uint8], probabilities: NDArray[np.float32]
    ) -> None:
        """See `Record`."""
        confidence = confidence_of(labels, probabilities)
        self._confidence += float(confidence.sum(dtype=np.float64))
        self._below += int(np.count_nonzero(confidence < self._threshold))
        self._pixels += np.bincount(labels.ravel(), minlength=self._classes)
        for plane in probabilities:  # one by one, of which copies need little room
            self._entropy -= float(
                (plane * np.log2(np.maximum(plane, np.finfo(np.float32).tiny))).sum(dtype=np.float64)
            )
        if self.confidence is not None:
            self.confidence[rows, columns] = self._scaled(confidence)
        if self._kept is not None:
            self._parts.append((rows, columns))
            for plane in probabilities:
                self._kept.write(self._scaled(plane).tobytes())

    def _scaled(self, values: NDArray[np.float32]) -> NDArray[Any]:
        """0..1 as whole numbers, 0 to the largest of the type."""
        largest = np.iinfo(self._type).max
        return np.asarray(np.rint(np.clip(values, 0, 1) * np.float32(largest)).astype(self._type))

    def probability_maps(self) -> Iterator[NDArray[Any]]:
        """That of each label, (H, W)."""
        assert self._kept is not None
        for label in range(self._classes):
            page = np.zeros(self._size, self._type)
            begin = 0
            for place in self._parts:
                part = page[place]
                self._kept.seek(begin + label * part.nbytes)
                part[...] = np.frombuffer(self._kept.read(part.nbytes), self._type).reshape(part.shape)
                begin += self._classes * part.nbytes
            yield page

    def figures(self) -> Certainty:
        """Those of the image, all of whose parts have been told."""
        pixels = self._size[0] * self._size[1]
        shares = tuple((self._pixels / pixels).tolist())
        return Certainty(self._confidence / pixels, self._entropy / pixels, self._below / pixels, shares)

    def close(self) -> None:
        """Forget the probabilities."""
        if self._kept is not None:
            self._kept.close()


class ReliabilityRecord:
    """A `Record` that compares an image with its true mask, (H, W).

    Attributes:
        found: of what was told so far.
    """

    def __init__(self, truth: NDArray[np.uint8]) -> None:
        self._truth = truth
        self.found = Reliability()

    def __call__(
        self, rows: slice, columns: slice, labels: NDArray[np.uint8], probabilities: NDArray[np.float32]
    ) -> None:
        """See `Record`."""
        truth = self._truth[rows, columns]
        known = truth != IGNORE_INDEX
        self.found += reliability_of(confidence_of(labels, probabilities)[known], (labels == truth)[known])


def told_all(records: Sequence[Record]) -> Record | None:
    """One that tells all of these; None if there are none."""
    if not records:
        return None

    def tell(*part: Any) -> None:
        for record in records:
            record(*part)

    return tell
