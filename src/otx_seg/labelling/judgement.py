"""What a network says of each pixel of a mask."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.labels import IGNORE_INDEX
from otx_seg.runtime.confidence import confidence_of
from otx_seg.runtime.predict_mask import predict_mask
from otx_seg.runtime.predictor import Predictor
from otx_seg.runtime.result_files import shrunk, write_picture

LONGEST_SIDE = 512
"""Pixels of an image's longer side at which its mask is judged, if it has more."""


class Judgement(NamedTuple):
    """A mask and what a network says instead, each uint8 (H, W) at the size at which it is judged.

    Attributes:
        mask: the labels of the mask, 255 for ignored.
        predicted: those of the network.
        confidence: the probability of the predicted label, 0..1 as 0..255.
        given: the probability of the mask's label, in the same way; 0 where that is ignored.
    """

    mask: NDArray[np.uint8]
    predicted: NDArray[np.uint8]
    confidence: NDArray[np.uint8]
    given: NDArray[np.uint8]


def judge(predictor: Predictor, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> Judgement:
    """Let a network look at an image and compare its mask.

    Args:
        image: uint8 (H, W, 3) RGB.
        mask: uint8 (H, W), indices of the network's labels, 255 for ignored.

    Raises:
        UsageError: the model gives masks and no probabilities.
    """
    small_image, small_mask = shrunk(image, LONGEST_SIDE), shrunk(mask, LONGEST_SIDE)
    confidence, given = np.zeros_like(small_mask), np.zeros_like(small_mask)

    def record(rows: slice, columns: slice, labels: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> None:
        masked = small_mask[rows, columns]
        counts = masked != IGNORE_INDEX
        of_mask = confidence_of(np.where(counts, masked, 0), probabilities)
        confidence[rows, columns] = _as_bytes(confidence_of(labels, probabilities))
        given[rows, columns] = np.where(counts, _as_bytes(of_mask), 0)

    predicted = predict_mask(predictor, small_image, record=record)
    return Judgement(small_mask, predicted, confidence, given)


def _as_bytes(probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(probabilities, 0, 1) * 255).astype(np.uint8)


class KeptJudgements:
    """Judgements in a folder, each as a PNG file, so that memory does not grow with the number of images."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, number: int, judgement: Judgement) -> None:
        """Write one. Raises OtxError: it cannot be written."""
        write_picture(self._file(number), np.concatenate(judgement))

    def read(self, number: int) -> Judgement:
        """One that was written."""
        planes = np.asarray(cv2.imread(str(self._file(number)), cv2.IMREAD_GRAYSCALE), np.uint8)
        return Judgement(*np.split(planes, len(Judgement._fields)))

    def _file(self, number: int) -> Path:
        return self._folder / f"{number}.png"
