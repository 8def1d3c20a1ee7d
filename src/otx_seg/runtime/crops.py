"""Cutting a rectangle out of an image, at any place and scale."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.runtime.network_input import network_input

_LONGEST_SIDE = 32_000  # pixels; cv2.remap ends at 32,767


class Box(NamedTuple):
    """A rectangle in an image's pixels; pixel (0, 0) covers the area from 0.0 to 1.0. It may reach over the edges."""

    top: float
    left: float
    height: float
    width: float


def whole(image: NDArray[np.uint8]) -> Box:
    """The box of all of an image (H, W, 3)."""
    return Box(0, 0, image.shape[0], image.shape[1])


def crop(image: NDArray[np.uint8], box: Box, size: tuple[int, int]) -> NDArray[np.uint8]:
    """What a network is to see of an image: a box, resized to its input size.

    Args:
        image: uint8 RGB (H, W, 3).
        box: what lies outside the image is filled with its mirror image.
        size: (height, width) in pixels.

    Returns:
        uint8 (1, 3, height, width).
    """
    if box == whole(image):
        return network_input(image, size)
    return np.ascontiguousarray(resample(image, box, size).transpose(2, 0, 1))[None]


def resample(values: NDArray[Any], box: Box, size: tuple[int, int]) -> NDArray[Any]:
    """A box of an array (H, W) or (H, W, 3), uint8 or float32, resized bilinearly with half-pixel centres.

    OpenCV rounds positions to 1/32 pixel.
    """
    rows, down = _part_of_side(box.top, box.height, size[0], values.shape[0])
    columns, across = _part_of_side(box.left, box.width, size[1], values.shape[1])
    grid = np.meshgrid(across, down)
    return cv2.remap(values[rows, columns], *grid, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def _part_of_side(start: float, extent: float, samples: int, side: int) -> tuple[slice, NDArray[np.float32]]:
    """Which of a side's pixels are needed, and where among these the samples lie, float32 (samples,)."""
    positions = start + (np.arange(samples) + 0.5) * (extent / samples) - 0.5
    first = max(0, int(np.floor(positions[0])))
    last = min(side, int(np.floor(positions[-1])) + 2)
    # So many pixels for one crop are passed over by the thousand anyway.
    step = (last - first) // _LONGEST_SIDE + 1
    return slice(first, last, step), ((positions - first) / step).astype(np.float32)
