"""Values out of the files of annotation tools, checked before anything is done with them."""

from __future__ import annotations

from typing import Any

from otx_seg.runtime.image_headers import MAX_PIXELS
from otx_seg.runtime.plain_files import number, shown, whole_number

FARTHEST = 1_000_000
"""Pixels from the corner of an image that a point can be."""


def points_of(value: Any, what: str = "points") -> list[float]:
    """[x, y, x, y, ...] of a list of [x, y].

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, list) or not all(isinstance(point, list) and len(point) == 2 for point in value):
        raise ValueError(f"{what} should be a list of [x, y], not {shown(value)}")
    return [coordinate(part) for point in value for part in point]


def coordinate(value: Any, what: str = "a coordinate") -> float:
    """A number of pixels. Raises ValueError if it is none, or beyond all images."""
    return number(value, -FARTHEST, FARTHEST, what)


def size_of(height: Any, width: Any) -> tuple[int, int]:
    """(height, width) in pixels. Raises ValueError if an image cannot have that size."""
    sides = whole_number(height, 1, MAX_PIXELS, "the image's height"), whole_number(width, 1, MAX_PIXELS, "its width")
    if sides[0] * sides[1] > MAX_PIXELS:
        size, most = f"{sides[1]} x {sides[0]}", f"{MAX_PIXELS // 1_000_000} million"
        raise ValueError(f"the image's size is {size}, more pixels than the {most} that are read")
    return sides


def noted_size(height: Any, width: Any) -> tuple[int, int] | None:
    """As `size_of`, or None where a file of annotations does not note it."""
    missing = (None, "", 0, "0")
    return None if height in missing or width in missing else size_of(height, width)


def label_of(value: Any, what: str = "its label") -> str:
    """The name of a label. Raises ValueError if it is none."""
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).strip():
        raise ValueError(f"{what} is {shown(value)}, not a name")
    return str(value).strip()


def as_mapping(value: Any, what: str) -> dict[str, Any]:
    """A mapping. Raises ValueError if it is none."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} should be a mapping, it is {shown(value)}")
    return value


def as_list(value: Any, what: str) -> list[Any]:
    """A list. Raises ValueError if it is none."""
    if not isinstance(value, list):
        raise ValueError(f"{what} should be a list, it is {shown(value)}")
    return value
