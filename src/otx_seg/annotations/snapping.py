"""Colours between those of labels, as soft edges and JPEG leave them in masks: each becomes the nearest one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Color = tuple[int, int, int]

_FAR = 80  # of 441, the distance of white from black: what JPEG does in areas of one colour stays below
_MOST_FAR = 0.25  # share of the pixels; edges are fewer in any mask, missing labels and photographs are more
_BESIDE = 40  # distance from the line between two colours
_AT_ONCE = 1 << 14  # colours
_LIKE_NUMBERS = 8


def is_two_tone(colors: Sequence[Color | None]) -> bool:
    """Whether labels are two, and told apart by colours."""
    return len(colors) == 2 and None not in colors


def may_be_soft(present: Sequence[int], colors: Sequence[Color | None], lossy: bool) -> bool:
    """Whether values of a grey mask that are no label's may be edges between shades.

    Args:
        present: the values, ascending, 0-255.
        colors: of the labels.
        lossy: whether the file is a JPEG.
    """
    known = [color for color in colors if color is not None]
    shades = len(known) > 1 and all(len({*color}) == 1 for color in known)
    return shades and (lossy or (is_two_tone(colors) and present[-1] >= _LIKE_NUMBERS))


def nearest_labels(
    pixels: NDArray[np.uint8], exact: Mapping[Color, int], candidates: Mapping[Color, int], lossy: bool
) -> tuple[NDArray[np.uint8], int]:
    """The label of each pixel, by its colour or else by the nearest one.

    Args:
        pixels: uint8 (H, W) grey, or (H, W, 3), blue first.
        exact: label, or 255, by colour.
        candidates: those among which the nearest is chosen, at least two.
        lossy: whether any colour may occur, or only those between two candidates.

    Returns:
        uint8 (H, W), and how many pixels have a colour that is none of `exact`.

    Raises:
        ValueError: colours that are far from all of these.
    """
    wide = pixels.astype(np.int32)
    numbers = wide * 0x010101 if wide.ndim == 2 else wide[:, :, 2] << 16 | wide[:, :, 1] << 8 | wide[:, :, 0]
    found, inverse, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    labels, distances = np.zeros(len(found), np.uint8), np.zeros(len(found), np.int64)
    places = np.array(list(candidates), np.int64)
    indices = np.array(list(candidates.values()), np.uint8)
    for start in range(0, len(found), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        squared = ((_channels(found[part])[:, None] - places) ** 2).sum(axis=2)
        labels[part], distances[part] = indices[squared.argmin(axis=1)], squared.min(axis=1)
    known = np.zeros(len(found), bool)
    for (red, green, blue), index in exact.items():
        same = found == (red << 16 | green << 8 | blue)
        known |= same
        labels[same] = index
    wrong = ~known & (distances > _FAR**2)
    if counts[wrong].sum() <= _MOST_FAR * counts.sum():
        wrong = ~known & (False if lossy else _beside_the_line(_channels(found), places))
    if wrong.any():
        worst = int(found[wrong][counts[wrong].argmax()])
        color = (worst >> 16, worst >> 8 & 255, worst & 255)
        raise ValueError(
            f"{int(counts[wrong].sum()):,} of its {int(counts.sum()):,} pixels have colours that are no label's, nor "
            f"close to one: {color}, for example"
        )
    return labels[inverse].reshape(numbers.shape), int(counts[~known].sum())


def _channels(numbers: NDArray) -> NDArray[np.int64]:
    return np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], axis=1).astype(np.int64)


def _beside_the_line(colors: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each of (N, 3) colours is no mixture of the two at `ends` (2, 3)."""
    way = (ends[1] - ends[0]).astype(float)
    share = np.clip((colors - ends[0]) @ way / (way @ way), 0, 1)
    distance: NDArray = np.linalg.norm(colors - (ends[0] + share[:, None] * way), axis=1)
    return distance > _BESIDE
