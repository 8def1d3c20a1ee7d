"""Test-time augmentation: several looks at the same part of an image, whose probabilities are averaged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import UsageError
from otx_seg.runtime.crops import Box, crop, resample, shares, starts
from otx_seg.runtime.predictor import AlteredPredictor

if TYPE_CHECKING:
    from torch import Tensor

    from otx_seg.runtime.predictor import Predictor

FLIP = "flip"
SMALLEST_SCALE, LARGEST_SCALE = 0.5, 2.0
_OVERLAP = 0.25  # of the crops of an enlarged part


@dataclass(frozen=True)
class AugmentedViews:
    """The looks taken besides the plain one; all count alike.

    Attributes:
        flip: each look is taken of the left-right mirror image too.
        scales: the part is also looked at in these sizes, 0.5 to 2. Above 1: enlarged by this factor and cut into
            overlapping crops. Below 1: shrunk by it, with as much of its surroundings as the network has room for;
            beyond the edge of the image, with its mirror image.
    """

    flip: bool = False
    scales: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Raises UsageError: a scale out of range, 1, or given twice."""
        for scale in self.scales:
            if not SMALLEST_SCALE <= scale <= LARGEST_SCALE:
                raise UsageError(f"a scale of test-time augmentation is {SMALLEST_SCALE} to {LARGEST_SCALE}: {scale:g}")
            if scale == 1:
                raise UsageError("test-time augmentation has the scale 1 in any case; name the others")
            if self.scales.count(scale) > 1:
                raise UsageError(f"the scale {scale:g} of test-time augmentation is given twice")

    def __str__(self) -> str:
        return ",".join([FLIP] * self.flip + [f"{scale:g}" for scale in self.scales])


ONE_VIEW = AugmentedViews()
"""The plain look and no other."""


def parse_views(text: str | None) -> AugmentedViews:
    """Read ``flip``, ``0.75,1.25`` or ``flip,1.25``; None is the plain look and no other.

    Raises:
        UsageError: something else, or what `AugmentedViews` refuses.
    """
    if text is None:
        return ONE_VIEW
    words = [word.strip() for word in text.split(",")]
    scales = tuple(_scale(word, text) for word in words if word != FLIP)
    if words.count(FLIP) > 1:
        raise UsageError(f"{text!r}: {FLIP} is given twice")
    return AugmentedViews(FLIP in words, scales)


def _scale(word: str, text: str) -> float:
    try:
        scale = float(word)
    except ValueError:
        scale = math.nan
    if math.isnan(scale):
        raise UsageError(
            f"{text!r} is no test-time augmentation: give {FLIP}, scales such as 0.75,1.25, or both: {FLIP},1.25"
        )
    return scale


def mirrored(predictor: Predictor) -> Predictor:
    """One that averages the probabilities of an image and of its left-right mirror image."""

    def probabilities(images: NDArray[np.uint8] | Tensor) -> NDArray[np.float32]:
        plain = np.asarray(images)
        turned = predictor.probabilities(np.ascontiguousarray(plain[..., ::-1]))
        return (predictor.probabilities(plain) + turned[..., ::-1]) / np.float32(2)

    return AlteredPredictor(predictor, probabilities)


def probabilities_of(
    predictor: Predictor, image: NDArray[np.uint8], box: Box, views: AugmentedViews
) -> NDArray[np.float32]:
    """The probability of each label in a part of an image.

    Args:
        image: uint8 RGB (H, W, 3).
        box: the part.

    Returns:
        float32 (K, h, w) of the model's input size, the mean over all looks.
    """
    model = mirrored(predictor) if views.flip else predictor
    total = _plain(model, image, box)
    for scale in views.scales:
        total = total + (_enlarged if scale > 1 else _with_surroundings)(model, image, box, scale)
    return total / np.float32(1 + len(views.scales)) if views.scales else total


def _plain(model: Predictor, image: NDArray[np.uint8], box: Box) -> NDArray[np.float32]:
    return model.probabilities(crop(image, box, model.input_size))[0]


def _enlarged(model: Predictor, image: NDArray[np.uint8], box: Box, scale: float) -> NDArray[np.float32]:
    height, width = model.input_size
    rows, columns = round(height * scale), round(width * scale)
    canvas = np.zeros((len(model.labels), rows, columns), np.float32)
    tops, lefts = starts(rows, height, _OVERLAP), starts(columns, width, _OVERLAP)
    for top, down in zip(tops, shares(tops, height), strict=True):
        for left, across in zip(lefts, shares(lefts, width), strict=True):
            part = Box(
                box.top + top * box.height / rows,
                box.left + left * box.width / columns,
                height * box.height / rows,
                width * box.width / columns,
            )
            canvas[:, top : top + height, left : left + width] += _plain(model, image, part) * np.outer(down, across)
    return np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in canvas])


def _with_surroundings(model: Predictor, image: NDArray[np.uint8], box: Box, scale: float) -> NDArray[np.float32]:
    height, width = model.input_size
    margin = (1 / scale - 1) / 2
    around = Box(box.top - margin * box.height, box.left - margin * box.width, box.height / scale, box.width / scale)
    middle = Box(height * (1 - scale) / 2, width * (1 - scale) / 2, height * scale, width * scale)
    return np.stack([resample(plane, middle, model.input_size) for plane in _plain(model, image, around)])
