"""The agreement of an exported model with its network."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.runtime.crops import network_input
from otx_seg.runtime.predictor import Predictor, answer_of

REQUIRED_AGREEMENT = 0.999
"""Share of the pixels that have to get the same label from an exported model as from its network."""

REQUIRED_AGREEMENT_HALF = 0.99
"""The same for parameters rounded to 16 bits: where two labels are nearly equal, pixels change sides."""

REQUIRED_AGREEMENT_QUANTIZED = 0.95
"""The same for a quantised network, with `ROUNDING_8_BITS`: far from what a wrong graph would reach, and loose enough
for small networks of large steps. What the difference costs is measured afterwards, in Dice."""

ROUNDING = 1e-5
"""Labels whose probabilities differ by less are equally right: the order of a sum decides between them."""

ROUNDING_8_BITS = 0.05
"""The same for a quantised network. The order of a sum decides there to which of 256 values an input is rounded, and so
does the rounding of what is not quantised; what changes so is rounded again in each further layer."""


def agreement(
    network: Predictor, exported: Predictor, images: Sequence[NDArray[np.uint8]], rounding: float = ROUNDING
) -> float:
    """The share of pixels, at input size, whose label from `exported` is as probable in `network` as its own.

    Args:
        network: the original.
        exported: a model with the same labels and input size.
        images: uint8 RGB (H, W, 3), of any sizes.
        rounding: difference of probabilities, 0..1, below which they are equal.
    """
    shares = []
    for image in images:
        batch = network_input(image, network.input_size)
        original = network.probabilities(batch)
        answer = answer_of(exported, batch)
        chosen = (answer if answer.dtype == np.uint8 else answer.argmax(axis=1)).astype(np.intp)[:, None]
        lost = original.max(axis=1) - np.take_along_axis(original, chosen, axis=1)[:, 0]
        shares.append(float((lost < rounding).mean()))
    return sum(shares) / len(shares)


def drawn_images(size: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """Images to compare on when there are no real ones: coloured clouds, coarse to fine.

    Args:
        size: (height, width) in pixels.

    Returns:
        uint8 RGB (H, W, 3) each; the same at every call.
    """
    rng = np.random.default_rng(0)
    height, width = size
    images = []
    for cells in (3, 6, 12, 24):
        coarse = rng.integers(0, 256, (cells, cells, 3)).astype(np.float32)
        clouds = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        images.append(np.clip(clouds + rng.normal(0, 8, clouds.shape), 0, 255).astype(np.uint8))
    return images
