"""What the files of a model say of it, as values that can be relied on: one schema for weights, exports and packages.

Each function takes what stands in a file, and raises ValueError with the field, its value and what it should be;
whoever reads the file adds its name and what to do.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from otx_seg.errors import UsageError
from otx_seg.labels import IGNORE_INDEX, Labels, check_names
from otx_seg.runtime.masks import LARGEST_BLUR, PostProcessing
from otx_seg.runtime.plain_files import number, shown, whole_number

LARGEST_SIDE = 8192
"""Of what a network takes, in pixels."""


def checked_labels(plain: Any) -> Labels:
    """The inverse of `labels_to_plain`: from 2 to 255 names, each with a colour, and the background among them.

    Raises:
        ValueError: they are none.
    """
    if not isinstance(plain, dict):
        raise ValueError(f"labels are {shown(plain)}, not names with colours")
    missing = next((key for key in ("names", "colors", "background") if key not in plain), None)
    if missing is not None:
        raise ValueError(f"labels have no {missing!r}")
    names, colors, background = plain["names"], plain["colors"], plain["background"]
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"names of labels are {shown(names)}, not texts")
    if not 2 <= len(names) <= IGNORE_INDEX:
        raise ValueError(f"there are {len(names)} labels; a model has from 2 to {IGNORE_INDEX}")
    check_names(names)
    if not isinstance(colors, (list, tuple)) or len(colors) != len(names):
        told = f"there are {len(colors)}" if isinstance(colors, (list, tuple)) else f"they are {shown(colors)}"
        raise ValueError(f"{len(names)} labels need {len(names)} colors; {told}")
    if background is not None:
        background = whole_number(background, 0, len(names) - 1, "the index of the background")
    return Labels(tuple(names), tuple(map(_color, colors)), background)


def _color(plain: Any) -> tuple[int, int, int]:
    if not isinstance(plain, (list, tuple)) or len(plain) != 3:
        raise ValueError(f"a color is {shown(plain)}, not three numbers from 0 to 255")
    red, green, blue = (whole_number(value, 0, 255, f"a part of the color {shown(plain)}") for value in plain)
    return red, green, blue


def checked_size(plain: Any) -> tuple[int, int]:
    """(height, width) in pixels of what a network takes.

    Raises:
        ValueError: it is something else than two whole numbers from 1 to `LARGEST_SIDE`.
    """
    if not isinstance(plain, (list, tuple)) or len(plain) != 2:
        raise ValueError(f"input_size is {shown(plain)}, not a height and a width")
    height, width = (whole_number(side, 1, LARGEST_SIDE, "a side of input_size") for side in plain)
    return height, width


def checked_post_processing(soft_threshold: Any, blur_strength: Any) -> PostProcessing:
    """
    Args:
        soft_threshold: from -1 to 1, or ``inf`` or ``-inf``, the values of Model API that mean none.
        blur_strength: -1, or from 1 to `LARGEST_BLUR`.

    Raises:
        ValueError: one of them is something else.
    """
    if str(soft_threshold) in ("inf", "-inf"):
        threshold = float(soft_threshold)
    else:
        threshold = number(soft_threshold, -1, 1, "soft_threshold")
    blur = whole_number(blur_strength, -1, LARGEST_BLUR, "blur_strength")
    if blur == 0:
        raise ValueError(f"blur_strength is 0; it should be -1, or from 1 to {LARGEST_BLUR}")
    return PostProcessing(threshold, blur)


def plain_post_processing(post_processing: PostProcessing) -> tuple[float | str, int]:
    """The inverse of `checked_post_processing`, in values that JSON has."""
    threshold = post_processing.soft_threshold
    return threshold if math.isfinite(threshold) else str(threshold), post_processing.blur_strength


def check_version(found: Any, known: int, path: Path) -> None:
    """
    Args:
        found: the version that a file says its content has.
        known: the newest one that this program knows; all before, from 1 on, are known too.
        path: the file.

    Raises:
        UsageError: it is a newer one: the file may be as it should be.
        ValueError: it is none.
    """
    if isinstance(found, bool) or not (isinstance(found, int) or (isinstance(found, str) and found.isdecimal())):
        raise ValueError(f"version is {shown(found)}, which this program never wrote")
    version = whole_number(found, 0, 1_000_000, "version")
    if version > known:
        raise UsageError(
            f"{path}: was written by a newer version of this program (its format is {version}, known are those up to "
            f"{known}); install that version"
        )
    if version < 1:
        raise ValueError(f"version is {version}, which this program never wrote")
