"""Labels of masks that nothing names: one for each value or colour that occurs in them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from otx_seg.datasets.bands import bands, values_in
from otx_seg.datasets.label_lists import labels_and_code, read_label_list
from otx_seg.datasets.masks import MAX_LABELS, Color, MaskCode, MaskContentError, stored_mask
from otx_seg.errors import DataError
from otx_seg.labels import IGNORE_INDEX, Labels
from otx_seg.runtime.processors import processor_count
from otx_seg.words import count

logger = logging.getLogger(__name__)

_LABELS = "labels.txt"
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_FEW = 64
"""Colours that labels may have; more are a photograph, or masks that were resized or saved as JPEG."""

_NEGLIGIBLE = 1000
"""So many times as many pixels are to be ignored as have labels: then they are not."""

_SHOWN = 5  # values named in a message


def listed_or_found(root: Path, places: Iterable[Path], masks: Iterable[str]) -> tuple[Labels, MaskCode]:
    """The labels of `labels.txt` in the root or in these folders, else those found in the masks.

    Args:
        places: the folders of the subsets.
        masks: see `find_labels`; not looked at where labels are listed.

    Raises:
        DataError: the file cannot be used, there are several that differ, or as `find_labels`.
    """
    files = [place / _LABELS for place in dict.fromkeys((root, *places)) if (place / _LABELS).is_file()]
    if not files:
        return find_labels(root, list(masks))
    listed, *others = [read_label_list(file) for file in files]
    for file, other in zip(files[1:], others, strict=True):
        if list(other.items()) != list(listed.items()):
            raise DataError(
                f"{file}: lists other labels than {files[0]}, or in another order, so that the same value would be "
                "another label; make them the same, or remove one"
            )
    return labels_and_code(listed, files[0])


class _Found(NamedTuple):
    """What occurs in a mask file.

    Attributes:
        values: int64 (N,), ascending, of a grey or palette mask; None of a colour mask.
        colors: (N, 3) RGB, of the values in the palette, or of the pixels; None of a grey mask.
        palette: all colours in it, used or not; empty without one.
    """

    path: str
    values: NDArray[np.int64] | None
    colors: NDArray | None
    palette: frozenset[Color]


def find_labels(root: Path, masks: Sequence[str]) -> tuple[Labels, MaskCode]:
    """A label for each value in index masks, or for each colour in colour masks; both are told to the user.

    Masks with palettes are index masks as long as their palettes agree, else colour masks. 255 and white are ignored,
    unless no other value than 0, or colour than black, occurs beside them.

    Args:
        root: the folder of the data set, for messages.
        masks: paths of mask files; those that cannot be decoded are passed over, they are told of later.

    Raises:
        DataError: values and colours are mixed, there are too few or too many, or what 255 or white means is not clear.
    """
    with ThreadPoolExecutor(processor_count()) as pool:
        found = [one for one in pool.map(_look_into, masks) if one is not None]
    advice = "name them in labels.txt, one per line with its colour if it has one"
    if not found:
        first = f"; first: {masks[0]}" if masks else ""
        raise DataError(f"{root}: none of its {count(len(masks), 'mask')} can be read{first}")
    values = sorted({value for one in found if one.values is not None for value in one.values.tolist()})
    if any(one.values is None for one in found) or _palettes_differ(found):
        colors = _all_colors(root, found)
        if _WHITE in colors and len(colors) <= _FEW:
            others = [color for color in colors if color not in (_BLACK, _WHITE)]
            in_doubt = all(len(set(color)) == 1 for color in others)
            _refuse_smooth_edges(root, found, others, in_doubt, True, advice)
        return _of_colors(root, colors, advice)
    if values == [0, IGNORE_INDEX]:
        return _of_colors(root, [_BLACK, _WHITE], advice)
    if IGNORE_INDEX in values:
        others = [value for value in values if value not in (0, IGNORE_INDEX)]
        in_doubt = others != list(range(1, len(others) + 1))
        _refuse_smooth_edges(root, found, others, in_doubt, False, advice)
    return _of_values(root, [value for value in values if value != IGNORE_INDEX], advice)


def _look_into(path: str) -> _Found | None:
    """What occurs in a mask file; None if it cannot be read."""
    try:
        pixels, palette = stored_mask(path)
    except MaskContentError:
        raise
    except DataError:
        return None
    if pixels.ndim == 3:
        numbers = [np.unique(band.astype(np.int64) @ (1, 1 << 8, 1 << 16)) for band in bands(pixels)]  # blue first
        unique = np.unique(np.concatenate(numbers))
        return _Found(path, None, np.stack([unique >> 16, unique >> 8 & 255, unique & 255], axis=1), frozenset())
    values = values_in(pixels).astype(np.int64)
    if palette is None or values[-1] >= len(palette):
        return _Found(path, values, None, frozenset())
    return _Found(path, values, palette[values], _colors_in(palette.tobytes()))


@lru_cache(maxsize=256)  # most files of a data set have the same palette
def _colors_in(palette: bytes) -> frozenset[Color]:
    return frozenset(_tuples(np.frombuffer(palette, np.uint8).reshape(-1, 3)))


def _tuples(colors: NDArray) -> list[Color]:
    return [(red, green, blue) for red, green, blue in colors.tolist()]


def _palettes_differ(found: Sequence[_Found]) -> bool:
    """Whether the same number stands for several colours: programs number the colours of each file anew."""
    color_of: dict[int, Color] = {}
    return any(
        color_of.setdefault(value, color) != color
        for one in found
        if one.values is not None and one.colors is not None
        for value, color in zip(one.values.tolist(), _tuples(one.colors), strict=True)
    )


def _all_colors(root: Path, found: Sequence[_Found]) -> list[Color]:
    """The colours in all masks, sorted.

    Raises:
        DataError: a mask of numbers is among them that would not be read by its colours.
    """
    every = {color for one in found if one.colors is not None for color in _tuples(one.colors)}
    every |= {
        (value,) * 3 for one in found if one.colors is None and one.values is not None for value in one.values.tolist()
    }
    for one in found:
        if one.values is None:
            continue
        as_index = 0 < one.values[-1] < len(every) if one.colors is None else not one.palette <= {*every, _WHITE}
        if as_index:
            values = ", ".join(map(str, one.values[:_SHOWN]))
            others = "others hold colours" if one.colors is None else "and colours in its palette that no mask shows"
            raise DataError(
                f"{root}: its masks mix colours with numbers: {one.path} holds the values {values}, {others}; save all "
                "of them in the same way, in RGB or in grey values"
            )
    return sorted(every)


def _refuse_smooth_edges(
    root: Path, found: Sequence[_Found], others: Sequence[object], in_doubt: bool, by_color: bool, advice: str
) -> None:
    """Black and white masks that were resized smoothly have values between: no labels, while white is one.

    Args:
        found: in some of which 255 or white is.
        others: values or colours beside that and 0 or black.
        in_doubt: whether these do not look like labels: then it is enough that they are fewer.
        by_color: whether the masks are read by colour.

    Raises:
        DataError: far fewer pixels have other values than the one that would be ignored.
    """
    if not others:
        return
    with ThreadPoolExecutor(processor_count()) as pool:
        counts = np.sum(list(pool.map(partial(_count_white_and_others, by_color), found)), axis=0)
    white, beside = counts.tolist()
    ignored = "white" if by_color else str(IGNORE_INDEX)
    if white > beside * (1 if in_doubt else _NEGLIGIBLE):
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        raise DataError(
            f"{root}: {white:,} pixels of its masks are {ignored}, and {beside:,} all that is neither 0 nor {ignored} "
            f"({', '.join(map(str, others[:_SHOWN]))}{more}): black and white masks that were resized smoothly look "
            f"like this. Set what lies between to 0 or 255; if {ignored} is to be ignored and the others are labels, "
            f"{advice}"
        )


def _count_white_and_others(by_color: bool, one: _Found) -> tuple[int, int]:
    """Pixels that are 255 or white, and those that are neither that nor 0 or black."""
    pixels, palette = stored_mask(one.path)
    if by_color and palette is not None and one.colors is not None:
        pixels = palette[pixels]
    white = black = 0
    for band in bands(pixels):
        light, dark = band == IGNORE_INDEX, band == 0
        white += int(np.count_nonzero(light.all(axis=2) if light.ndim == 3 else light))
        black += int(np.count_nonzero(dark.all(axis=2) if dark.ndim == 3 else dark))
    return white, pixels.shape[0] * pixels.shape[1] - white - black


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
