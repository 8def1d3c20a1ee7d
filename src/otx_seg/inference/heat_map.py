"""A map of numbers as colours: from blue, low, through green and yellow to red, high."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SCALE: NDArray[np.uint8] = np.asarray(
    cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_JET)[:, 0, ::-1]
)
"""The colours from low to high, uint8 (256, 3) RGB."""


def heat_map(values: NDArray[np.float32], size: tuple[int, int], limits: tuple[float, float]) -> NDArray[np.uint8]:
    """A map enlarged bilinearly and coloured.

    Args:
        values: float32 (h, w).
        size: (height, width) in pixels of the result.
        limits: the values that become the bluest blue and the reddest red. If they are equal, all is blue.

    Returns:
        uint8 (height, width, 3) RGB, OpenCV's colour map ``COLORMAP_JET``.
    """
    lowest, highest = limits
    scale = 255 / (highest - lowest) if highest > lowest else 0.0
    levels = cv2.resize((values - np.float32(lowest)) * np.float32(scale), size[::-1], interpolation=cv2.INTER_LINEAR)
    np.clip(np.rint(levels, out=levels), 0, 255, out=levels)
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(levels.astype(np.uint8), cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB))
