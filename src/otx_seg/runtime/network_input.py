"""The one way in which an image becomes what a model takes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def network_input(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Squash an image to the input size, bilinearly, as the evaluation's loader does.

    Args:
        image: uint8 RGB (H, W, 3).
        size: (height, width) in pixels.

    Returns:
        uint8 (1, 3, height, width).
    """
    height, width = size
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(resized.transpose(2, 0, 1))[None]
