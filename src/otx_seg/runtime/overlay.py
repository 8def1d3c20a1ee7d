"""A mask drawn over its image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.labels import Labels

_SHARE_OF_COLOR = 0.5


def overlay(image: NDArray[np.uint8], mask: NDArray[np.uint8], labels: Labels) -> NDArray[np.uint8]:
    """Tint every pixel with the colour of its label, half and half; background and ignored pixels stay as they are.

    Args:
        image: uint8 (H, W, 3) RGB.
        mask: uint8 (H, W), values 0..K-1 or 255.
        labels: the K labels.

    Returns:
        uint8 (H, W, 3) RGB.
    """
    table = np.zeros((256, 3), np.uint8)
    table[: len(labels)] = labels.colors
    tinted: NDArray[np.uint8] = cv2.addWeighted(image, 1 - _SHARE_OF_COLOR, table[mask], _SHARE_OF_COLOR, 0)
    plain = mask >= len(labels)
    if labels.background is not None:
        plain |= mask == labels.background
    np.copyto(tinted, image, where=plain[:, :, None])
    return tinted
