"""Rectangles of an image, at any place and scale: what a network gets of them, how overlapping ones cover a side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

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


def network_input(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Squash an image to the input size, bilinearly: the one way in which an image becomes what a model takes.

    Args:
        image: uint8 RGB (H, W, 3).
        size: (height, width) in pixels.

    Returns:
        uint8 (1, 3, height, width).
    """
    height, width = size
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(resized.transpose(2, 0, 1))[None]


def starts(length: int, side: int, overlap: float) -> list[int]:
    """Where pieces of `side` begin that cover `length`, at least `side`; neighbours share `overlap` of it or more.

    There are as few as possible, spread evenly, so that none reaches over the end.
    """
    stride = max(1, int(side * (1 - overlap)))
    gaps = -((side - length) // stride)
    return [0, *(round(number * (length - side) / gaps) for number in range(1, gaps + 1))]


def shares(begins: Sequence[int], side: int) -> list[NDArray[np.float32]]:
    """How much each piece counts at each of its places, float32 (side,); at every place the pieces' shares sum to 1.

    What a piece counts falls linearly from its middle to its ends, where it is not quite 0: a network knows least
    about what it sees at the edge.

    Args:
        begins: as of `starts`.
    """
    ramp = np.minimum(np.arange(1, side + 1), np.arange(side, 0, -1)).astype(np.float64)
    total = np.zeros(begins[-1] + side)
    for begin in begins:
        total[begin : begin + side] += ramp
    return [(ramp / total[begin : begin + side]).astype(np.float32) for begin in begins]
