"""Labels of masks that nothing names: one for each value or colour that occurs in them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.bands import bands, values_in
from otx_seg.annotations.label_lists import (
    OWN_LIST,
    chosen_list,
    find_label_lists,
    labels_and_code,
    listed_labels,
)
from otx_seg.annotations.label_table import ListedLabel
from otx_seg.annotations.masks import MAX_LABELS, Color, MaskCode
from otx_seg.annotations.pages import masks_that_fit
from otx_seg.annotations.samples import Sample
from otx_seg.annotations.stored_masks import MaskContentError, frequent_colors, stored_mask
from otx_seg.errors import DataError
from otx_seg.labels import IGNORE_INDEX, Labels, MaskValue
from otx_seg.runtime.processors import processor_count
from otx_seg.words import count
from otx_seg.words import listed as in_words

logger = logging.getLogger(__name__)

_named_elsewhere: ContextVar[bool] = ContextVar("named_elsewhere", default=False)
_OF_VALUE, _OF_COLOR = "label_{}", "color_{:02x}{:02x}{:02x}"  # names of labels
_NAME = re.compile(r"label_(\d{1,5})|color_([\da-f]{6})")

_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_OF_16_BITS = {_BLACK, ((1 << 16) - 1,) * 3}
_FEW = 64
"""Colours that labels may have; more are a photograph, or masks that were resized or saved as JPEG."""

_NEGLIGIBLE = 1000
"""So many times as many pixels are to be ignored as have labels: then they are not."""

_DARK, _LIGHT = 48, 207  # shades up to and from which JPEG's black and white lie
_ALMOST_WHITE = 250
_SOME = 32  # shades that are more than labels of black and white masks would be
_LOOKED_AT = 20  # masks that tell whether all are black and white, where labels are listed
_SHOWN = 5  # values named in a message


@contextmanager
def named_elsewhere() -> Iterator[None]:
    """While labels that no list names get their names from somewhere else, nobody is told to write a list."""
    token = _named_elsewhere.set(True)
    try:
        yield
    finally:
        _named_elsewhere.reset(token)


def name_of_value(value: MaskValue) -> str:
    """What a label is called that nothing names. It does not depend on the other values: the same value is the same
    label in any folder."""
    return _OF_VALUE.format(value) if isinstance(value, int) else _OF_COLOR.format(*value)


def value_of_name(name: str) -> MaskValue | None:
    """The value of a label that is called as `name_of_value` says; None for other names."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    if found[1]:
        return int(found[1])
    red, green, blue = bytes.fromhex(found[2])
    return red, green, blue


def listed_or_found(root: Path, places: Iterable[Path], samples: Iterable[Sample]) -> tuple[Labels, MaskCode]:
    """The labels that a file in the root or in these folders lists, else those found in the masks.

    Two labels of a list without values and colours are black and white where the masks are.

    Args:
        places: the folders of the subsets.
        samples: whose masks are looked at, see `find_labels`; where labels are listed, a few at most.

    Raises:
        DataError: a list cannot be used, there are several that differ, or as `find_labels`.
    """
    lists = find_label_lists((root, *places))
    if not lists.usable:
        return find_labels(root, masks_that_fit(samples), lists.unusable)
    listed = chosen_list(lists.usable)
    plain = all(entry.color is None and entry.value is None for entry in listed.entries)
    white = _white_of_a_few(masks_that_fit(samples)) if plain and len(listed.entries) == 2 else None
    if white is not None:
        black, light = listed.entries
        listed = listed._replace(entries=(ListedLabel(black.name, _BLACK, 0), ListedLabel(light.name, _WHITE, white)))
    labels, code = listed_labels(listed)
    if listed.path.name != OWN_LIST:
        ignored = f"; ignored: {', '.join(code.void)}" if code.void else ""
        logger.info("%s: the labels are those of %s: %s%s", root, listed.path, in_words(labels.names), ignored)
    if code.values is not None and not plain:
        logger.info(
            "%s: the mask values in %s have gaps; in predictions the labels have the numbers 0 to %d, in this order",
            root,
            listed.path,
            len(labels) - 1,
        )
    return labels, code


def _white_of_a_few(masks: Sequence[str]) -> int | None:
    """The value of white if masks are black and white, as a few of them tell."""
    some = map(_look_into, masks[:: max(1, len(masks) // _LOOKED_AT)])
    found = [one for one in some if isinstance(one, _Found)]
    by_color = any(one.values is None for one in found)
    shades = {color for one in found if one.colors is not None for color in _tuples(one.colors)} if by_color else set()
    shades |= {(value,) * 3 for one in found if one.values is not None for value in one.values.tolist()}
    return _white(shades) if _are_black_and_white(found, sorted(shades), by_color) else None


def _white(shades: Iterable[Color]) -> int:
    return max(_OF_16_BITS)[0] if {*shades} == _OF_16_BITS else IGNORE_INDEX


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


def find_labels(root: Path, masks: Sequence[str], unusable: Sequence[str] = ()) -> tuple[Labels, MaskCode]:
    """A label for each value in index masks, or for each colour in colour masks; both are told to the user.

    Masks with palettes are index masks as long as their palettes agree, else colour masks. 255 and white are ignored,
    unless hardly anything else than them and 0 or black occurs: then the masks are black and white, with soft edges.

    Args:
        root: the folder of the data set, for messages.
        masks: paths of mask files; those that cannot be decoded are passed over, they are told of later.
        unusable: what to say of files that look like lists of labels.

    Raises:
        DataError: values and colours are mixed, or there are too few or too many.
    """
    with ThreadPoolExecutor(processor_count()) as pool:
        every = list(pool.map(_look_into, masks))
    found = [one for one in every if isinstance(one, _Found)]
    advice = "name them in labels.txt, one per line with its colour if it has one"
    if unusable:
        advice = f"{unusable[0].removeprefix(f'{root}/')}; correct that, or {advice}"
    if not found:
        first = f"; first: {every[0]}" if every else ""
        raise DataError(f"{root}: none of its {count(len(masks), 'mask')} can be read{first}")
    by_color = any(one.values is None for one in found) or _palettes_differ(found)
    if by_color:
        shades = _all_colors(root, found)
    else:
        values = sorted({value for one in found if one.values is not None for value in one.values.tolist()})
        shades = [(value,) * 3 for value in values]
    if _are_black_and_white(found, shades, by_color):
        labels, code = _of_colors(root, [_BLACK, _WHITE], advice, soft={*shades} not in ({_BLACK, _WHITE}, _OF_16_BITS))
        return labels, replace(code, values=(0, _white(shades)))  # else 1 would be the second one too
    if (by_color and len(shades) > _FEW) or any(map(_is_jpeg, found)):
        raise DataError(_no_labels(root, len(shades), masks))
    if by_color:
        return _of_colors(root, shades, advice)
    return _of_values(root, [value for value in values if value != IGNORE_INDEX], advice)


def _look_into(path: str) -> _Found | DataError:
    """What occurs in a mask file, or why it cannot be read."""
    try:
        pixels, palette = stored_mask(path)
    except MaskContentError:
        raise
    except DataError as error:
        return error
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


def _are_black_and_white(found: Sequence[_Found], shades: Sequence[Color], by_color: bool) -> bool:
    """Whether masks are black and white, perhaps with shades between: edges that were smoothed or saved as JPEG.

    Args:
        shades: all that occur, ascending; a value as a shade of grey.
        by_color: whether the masks are read by colour.
    """
    if {*shades} == _OF_16_BITS:
        return True
    others = [shade for shade in shades if shade not in (_BLACK, _WHITE)]
    if not others or min(shades[0]) < 0 or not _ALMOST_WHITE <= min(max(shades, key=min)) <= max(_WHITE):
        return not others and _WHITE in shades and len(shades) == 2
    in_order = not by_color and [shade[0] for shade in others] == list(range(1, len(others) + 1))
    in_doubt = not in_order and (len(others) > _FEW or all(len(set(shade)) == 1 for shade in others))
    many = in_doubt and (len(others) > _SOME or any(map(_is_jpeg, found)))
    with ThreadPoolExecutor(processor_count()) as pool:
        black, white = (_DARK, _LIGHT) if many else (0, _ALMOST_WHITE)
        counts = np.sum(list(pool.map(partial(_count_white_and_others, by_color, black, white), found)), axis=0)
    light, beside = counts.tolist()
    return bool(light > beside * (2 if many else 1 if in_doubt else _NEGLIGIBLE))


def _is_jpeg(one: _Found) -> bool:
    return one.path.lower().endswith((".jpg", ".jpeg", ".jpe", ".jfif"))


def _count_white_and_others(by_color: bool, black: int, white: int, one: _Found) -> tuple[int, int]:
    """Pixels that are as light as `white` at least, and those that are neither that nor as dark as `black`."""
    pixels, palette = stored_mask(one.path)
    if by_color and palette is not None and one.colors is not None:
        pixels = palette[pixels]
    light = dark = 0
    for band in bands(pixels):
        low, high = (band.min(axis=2), band.max(axis=2)) if band.ndim == 3 else (band, band)
        light += int(np.count_nonzero(low >= white))
        dark += int(np.count_nonzero(high <= black))
    return light, pixels.shape[0] * pixels.shape[1] - light - dark


def _of_colors(root: Path, colors: Sequence[Color], advice: str, soft: bool = False) -> tuple[Labels, MaskCode]:
    ignored = _WHITE in colors and len(colors) > 2
    kept = [color for color in colors if not (ignored and color == _WHITE)]
    listed = {name_of_value(color): color for color in kept}
    more = "white is ignored, unless it is named" if ignored else ""
    if soft:
        more = "what lies between black and white (soft edges, JPEG) counts as the nearer one"
    _tell(root, [f"{name} {color}" for name, color in listed.items()], more, advice)
    return labels_and_code(listed, root)


def _no_labels(root: Path, number: int, masks: Sequence[str]) -> str:
    frequent = ", ".join(map(str, frequent_colors(masks[:_SHOWN])))
    return (
        f"{root}: {number} shades occur in its masks, too many or too uncertain to be labels; masks that were resized "
        "smoothly or saved as JPEG have such mixtures. Write labels.txt with a line for each label, its name and its "
        f"colour (frequent are {frequent}): of JPEG masks each pixel then gets the label of the nearest colour; other "
        "masks have to be saved without smoothing"
    )


def _of_values(root: Path, values: list[int], advice: str) -> tuple[Labels, MaskCode]:
    if values and not 0 <= values[0] <= values[-1] < MAX_LABELS:
        wrong = next(value for value in values if not 0 <= value < MAX_LABELS)
        raise DataError(
            f"{root}: the value {wrong} occurs in its masks, and nothing names the labels; without names they are 0 to "
            f"{MAX_LABELS - 1}: write labels.txt with a line for each value ({wrong}: road), or save 8-bit masks"
        )
    listed: dict[str, Color | None] = {name_of_value(value): None for value in range(values[-1] + 1 if values else 0)}
    unused = [name for value, name in enumerate(listed) if value not in values]
    _tell(root, [name for name in listed if name not in unused], f"{IGNORE_INDEX} is ignored", advice)
    return labels_and_code(listed, root, unused)


def _tell(root: Path, names: list[str], ignored: str, advice: str) -> None:
    if _named_elsewhere.get():
        return
    more = f"; {ignored}" if ignored else ""
    logger.warning(
        "%s: nothing names the labels, so each value in the masks is one: %s%s; %s, and call the background background",
        root,
        in_words(names),
        more,
        advice,
    )
