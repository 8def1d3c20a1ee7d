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
    colors = np.zeros((256, 1, 3), np.uint8)
    colors[: len(labels), 0] = labels.colors
    plain = np.full(256, 255, np.uint8)
    plain[list(labels.foreground)] = 0
    tinted = cv2.addWeighted(image, 1 - _SHARE_OF_COLOR, cv2.applyColorMap(mask, colors), _SHARE_OF_COLOR, 0)
    # With NumPy's indexing in place of these tables, drawing took longer than making the mask.
    drawn: NDArray[np.uint8] = cv2.copyTo(image, cv2.LUT(mask, plain), tinted)
    return drawn
