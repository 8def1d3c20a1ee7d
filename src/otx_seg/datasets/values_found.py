"""Labels of masks that nothing names: one for each value or colour that occurs in them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otx_seg.datasets.bands import bands, values_in
from otx_seg.datasets.label_lists import labels_and_code, read_label_list
from otx_seg.datasets.masks import MAX_LABELS, Color, MaskCode, MaskContentError, stored_values
from otx_seg.errors import DataError
from otx_seg.labels import IGNORE_INDEX, Labels
from otx_seg.runtime.processors import processor_count

logger = logging.getLogger(__name__)

_LABELS = "labels.txt"
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_FEW = 64
"""Colours that labels may have; more are a photograph, or masks that were resized or saved as JPEG."""


def listed_or_found(root: Path, places: Iterable[Path], masks: Iterable[str]) -> tuple[Labels, MaskCode]:
    """The labels of the first `labels.txt` in the root or these folders, else those found in the masks.

    Args:
        places: the folders of the subsets.
        masks: see `find_labels`; not looked at where labels are listed.

    Raises:
        DataError: the file cannot be used, or as `find_labels`.
    """
    listed = next((place / _LABELS for place in (root, *places) if (place / _LABELS).is_file()), None)
    return find_labels(root, list(masks)) if listed is None else labels_and_code(read_label_list(listed), listed)


def find_labels(root: Path, masks: Sequence[str]) -> tuple[Labels, MaskCode]:
    """A label for each value in index masks, or for each colour in colour masks; both are told to the user.

    255 and white are ignored, unless no other value than 0, or colour than black, occurs beside them.

    Args:
        root: the folder of the data set, for messages.
        masks: paths of mask files; those that cannot be decoded are passed over, they are told of later.

    Raises:
        DataError: values and colours are mixed, or there are too few or too many.
    """
    with ThreadPoolExecutor(processor_count()) as pool:
        found = [values for values in pool.map(_values, masks) if values is not None]
    advice = "name them in labels.txt, one per line with its colour if it has one"
    if not found:
        raise DataError(f"{root}: none of its {len(masks)} masks can be read; first: {masks[0]}")
    colored = [values for values in found if values.ndim == 2]
    if colored:
        return _of_colors(root, _united(colored, found), advice)
    values = sorted(set(np.concatenate(found).tolist()))
    if values == [0, IGNORE_INDEX]:
        return _of_colors(root, [_BLACK, _WHITE], advice)
    return _of_values(root, [value for value in values if value != IGNORE_INDEX], advice)


def _values(path: str) -> NDArray[np.int64] | None:
    """int64 (N,) values, or (N, 3) RGB colours, that occur in a mask file."""
    try:
        stored = stored_values(path)
    except MaskContentError:
        raise
    except DataError:
        return None
    if stored.ndim == 2:
        return values_in(stored).astype(np.int64)
    numbers = [np.unique(band.astype(np.int64) @ (1, 1 << 8, 1 << 16)) for band in bands(stored)]  # blue first
    unique = np.unique(np.concatenate(numbers))
    return np.stack([unique >> 16, unique >> 8 & 255, unique & 255], axis=1)


def _united(colored: list[NDArray[np.int64]], found: list[NDArray[np.int64]]) -> list[Color]:
    grey = [np.repeat(values[:, None], 3, axis=1) for values in found if values.ndim == 1]
    every = np.unique(np.concatenate([*colored, *grey]), axis=0)
    return [(int(red), int(green), int(blue)) for red, green, blue in every]


def _of_colors(root: Path, colors: list[Color], advice: str) -> tuple[Labels, MaskCode]:
    if len(colors) > _FEW:
        raise DataError(
            f"{root}: {len(colors)} colours occur in its masks, too many to be labels; masks that were resized "
            f"smoothly or saved as JPEG have such mixtures. If some of them are labels, {advice}"
        )
    ignored = _WHITE in colors and len(colors) > 2
    kept = [color for color in colors if not (ignored and color == _WHITE)]
    # Names that do not depend on what other colours there are: the same colour is the same label in any folder.
    listed = {"color_{:02x}{:02x}{:02x}".format(*color): color for color in kept}
    _tell(root, [f"{name} {color}" for name, color in listed.items()], "white is ignored" if ignored else "", advice)
    return labels_and_code(listed, root)


def _of_values(root: Path, values: list[int], advice: str) -> tuple[Labels, MaskCode]:
    if values and not 0 <= values[0] <= values[-1] < MAX_LABELS:
        wrong = next(value for value in values if not 0 <= value < MAX_LABELS)
        raise DataError(f"{root}: the value {wrong} occurs in its masks; labels are 0 to {MAX_LABELS - 1}")
    listed = {f"label_{value}": None for value in range(values[-1] + 1 if values else 0)}
    unused = [name for value, name in enumerate(listed) if value not in values]
    _tell(root, [name for name in listed if name not in unused], f"{IGNORE_INDEX} is ignored", advice)
    return labels_and_code(listed, root, unused)


def _tell(root: Path, names: list[str], ignored: str, advice: str) -> None:
    more = f"; {ignored}" if ignored else ""
    logger.warning(
        "%s: nothing names the labels, so each value in the masks is one: %s%s; %s, and call the background background",
        root,
        ", ".join(names),
        more,
        advice,
    )
