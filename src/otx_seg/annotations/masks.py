"""From mask files to label indices, pixel-exact; how they are stored is read by `annotations.stored_masks`.

How a file is to be read is decided for each file by itself, because real data sets mix the kinds:

* grey: the values are label indices; 255 is ignored. Values that are no index but all of them a grey label
  colour of the data set (black and white masks, say) are read as colours.
* palette: the palette numbers are label indices; 255 is ignored. A palette that holds nothing but label colours
  (and white) is read by its colours: image programs write such files from colour masks, with numbers in any order.
* colour: by the data set's colours (`segmentation_colors`). White is ignored unless it is a label's colour.
  A file with equal channels and no label colour is a grey mask saved as RGB.

Where two labels have colours, values and colours between them (soft edges) count as the nearer one, and in JPEG files
any colour counts as the nearest label's, as long as most pixels are close to one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.samples import MaskReader, Sample
from otx_seg.annotations.snapping import Color, is_two_tone, may_be_soft, nearest_labels
from otx_seg.annotations.stored_masks import MaskContentError, StoredMask, decode_stored
from otx_seg.labels import IGNORE_INDEX, MaskValue
from otx_seg.runtime.image_headers import read_bytes
from otx_seg.words import listed

MAX_LABELS = 254
"""A mask is uint8: 255 is ignored and 254 marks a colour without label while a file is being decoded."""

_WHITE = (255, 255, 255)
_SHOWN = 5  # wrong values or colours in a message; enough to see the pattern
_UNKNOWN = 254
_LARGEST_IN_TABLE = 1 << 16  # values that a table is faster for than a search; arrays may hold any
_JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True)
class MaskCode(MaskReader):
    """What the pixels of a data set's masks mean.

    Attributes:
        names: label names in index order.
        colors: the RGB colour of each label in colour masks; None for a label that has none.
        void: those of `names` that are no labels to learn: their pixels are ignored.
        instance_bits: how many of the lowest bits of a value number the objects of a label.
        source: name of the file in which the labels stand, for messages.
        values: the value of each label in index masks, ascending; None: its index.
    """

    names: tuple[str, ...]
    colors: tuple[Color | None, ...]
    void: tuple[str, ...] = ()
    instance_bits: int = 0
    source: str = "dataset_meta.json"
    values: tuple[int, ...] | None = None

    def read_counting(self, sample: Sample) -> tuple[NDArray[np.uint8], int]:
        """See `MaskReader`."""
        return read_counting(sample.mask, self)

    def files_of(self, sample: Sample) -> tuple[str, ...]:
        """The sample's mask file."""
        return (sample.mask,)

    def stored_values(self, sample: Sample) -> tuple[MaskValue | None, ...]:
        """See `MaskReader`. Files of one data set may be of several kinds: the sample's tells which one."""
        return _stored_values(decode_stored(read_bytes(sample.mask), sample.mask), self)

    def meanings(self) -> Mapping[MaskValue, str | None]:
        """See `MaskReader`."""
        if self.instance_bits:
            return {}
        learned = [None if name in self.void else name for name in self.names]
        by_value: dict[MaskValue, str | None] = dict(zip(_values_of(self), learned, strict=True))
        return by_value | {color: learned[index] for color, index in self.index_of_color.items()}

    @property
    def index_of_color(self) -> dict[Color, int]:
        """The label index of every colour that means one."""
        return {color: index for index, color in enumerate(self.colors) if color is not None}


def read_mask(path: str | Path, code: MaskCode) -> NDArray[np.uint8]:
    """The label index of every pixel.

    Args:
        path: a mask file in a format that images come in.
        code: the data set's labels and colours.

    Returns:
        uint8 (H, W): 0 to len(code.names) - 1, or 255 for ignored.

    Raises:
        MaskContentError: a value or colour that is no label, or a kind of pixel that masks cannot have.
        DataError: the file cannot be read or is damaged.
    """
    return read_counting(path, code)[0]


def read_counting(path: str | Path, code: MaskCode) -> tuple[NDArray[np.uint8], int]:
    """As `read_mask`, and how many pixels had a value or colour between those of labels and got the nearest one's."""
    content = read_bytes(path)
    lossy = content.startswith(_JPEG)
    raw = decode_stored(content, path)
    if lossy and is_two_tone(code.colors):
        return _snapped(raw.pixels, path, code, lossy)
    if raw.pixels.ndim == 3:
        return _from_colors(raw.pixels, path, code, lossy)
    if raw.palette is not None and _only_label_colors(raw, code):
        return _from_colors(raw.palette[:, ::-1][raw.pixels], path, code, lossy)
    return _from_values(raw, path, code, lossy)


def _from_values(raw: StoredMask, path: str | Path, code: MaskCode, lossy: bool) -> tuple[NDArray[np.uint8], int]:
    values = raw.pixels >> code.instance_bits if code.instance_bits else raw.pixels
    if code.values is None and values.min() >= 0 and values.max() < len(code.names):
        if raw.palette is None and values.max() == 0 and _black_is_ambiguous(code):
            raise MaskContentError(
                f"{path}: an all-black grey mask; is it label 0, {code.names[0]}, or the label that is black in "
                f"the colours of {code.source}? Save the mask as RGB, or remove the colours there"
            )
        return values.astype(np.uint8, copy=False), 0
    present = [int(value) for value in np.unique(values)]
    known = {IGNORE_INDEX: IGNORE_INDEX, **{value: index for index, value in enumerate(_values_of(code))}}
    by_value = all(value in known for value in present)
    labels = [known[value] for value in present] if by_value and code.values is not None else None
    labels = labels or _grey_or_palette_colors(present, raw.palette, code)
    if labels is not None:
        if present[-1] > _LARGEST_IN_TABLE:
            return np.array(labels, np.uint8)[np.searchsorted(present, values)], 0
        table = np.full(present[-1] + 1, _UNKNOWN, np.uint8)
        table[present] = labels
        return table[values], 0
    if by_value:
        return values.astype(np.uint8, copy=False), 0
    if (
        raw.palette is None
        and 0 <= present[0] <= present[-1] <= IGNORE_INDEX
        and may_be_soft(present, code.colors, lossy)
    ):
        return _snapped(values.astype(np.uint8, copy=False), path, code, lossy)
    wrong = [value for value in present if value not in known]
    raise MaskContentError(_wrong_values(wrong, values, path, code))


def _values_of(code: MaskCode) -> tuple[int, ...]:
    return code.values or tuple(range(len(code.names)))


def _stored_values(raw: StoredMask, code: MaskCode) -> tuple[MaskValue | None, ...]:
    """For each label its number, or where the file holds colours its colour, in a grey file as a shade."""
    known, pixels = code.index_of_color, raw.pixels
    if _only_label_colors(raw, code):
        return code.colors
    if pixels.ndim == 3:
        grey = pixels[:, :, 0]
        if not (pixels == grey[:, :, None]).all() or all((value,) * 3 in {*known, _WHITE} for value in np.unique(grey)):
            return code.colors
        pixels = grey
    present = [int(value) for value in np.unique(pixels >> code.instance_bits if code.instance_bits else pixels)]
    numbers = tuple(value << code.instance_bits for value in _values_of(code))
    if raw.palette is not None:
        beyond = not {*present} <= {*_values_of(code), IGNORE_INDEX}
        return code.colors if beyond and _grey_or_palette_colors(present, raw.palette, code) else numbers
    if len(known) < 2 or any(len(set(color)) > 1 for color in known):
        return numbers
    if code.values is None and present == [0]:
        return ()  # the number 0, or black
    by_number = {*present} <= ({*range(len(code.names))} if code.values is None else {*code.values, IGNORE_INDEX})
    return numbers if by_number else tuple(None if color is None else color[0] for color in code.colors)


def _black_is_ambiguous(code: MaskCode) -> bool:
    """Whether grey masks may hold colours, and 0 as a colour is another label than 0 as an index."""
    known = code.index_of_color
    return known.get((0, 0, 0), 0) != 0 and all(len(set(color)) == 1 for color in known)


def _grey_or_palette_colors(present: list[int], palette: NDArray | None, code: MaskCode) -> list[int] | None:
    """The label of each value in `present` if every one of them stands for a label colour, else None."""
    known = code.index_of_color
    if present[0] < 0 or present[-1] >= (256 if palette is None else len(palette)):
        return None
    colors = [(value,) * 3 if palette is None else tuple(palette[value].tolist()) for value in present]
    found = [known[color] for color in colors if color in known]
    return found if len(found) == len(present) else None


def _only_label_colors(raw: StoredMask, code: MaskCode) -> bool:
    """Whether a palette holds label colours, perhaps white, and nothing else, and all of the pixels' numbers."""
    known = code.index_of_color
    if raw.palette is None or not known or raw.pixels.max() >= len(raw.palette):
        return False
    return all(tuple(color) in known or tuple(color) == _WHITE for color in raw.palette.tolist())


@lru_cache(maxsize=4)
def _color_table(code: MaskCode) -> NDArray[np.uint8]:
    """uint8 (2**24,): 254 XOR the label, for every colour R * 65536 + G * 256 + B.

    Stored this way, no label is 0, and the 16 MB stay untouched pages but for the few around the colours in use.
    """
    table = np.zeros(1 << 24, np.uint8)
    for (red, green, blue), index in {_WHITE: IGNORE_INDEX, **code.index_of_color}.items():
        table[red << 16 | green << 8 | blue] = index ^ _UNKNOWN
    return table


def _from_colors(
    pixels: NDArray[np.uint8], path: str | Path, code: MaskCode, lossy: bool
) -> tuple[NDArray[np.uint8], int]:
    # A fourth channel makes one 32-bit number of each pixel: cheaper than shifting three channels together.
    number = cv2.cvtColor(pixels, cv2.COLOR_BGR2BGRA).view(np.int32)[:, :, 0]
    number &= 0xFFFFFF
    labels = np.take(_color_table(code), number)
    labels ^= _UNKNOWN
    if not (labels == _UNKNOWN).any():
        return labels, 0
    grey = pixels[:, :, 0]
    if (pixels == grey[:, :, None]).all():
        return _from_values(StoredMask(grey, None), path, code, lossy)
    if len(code.index_of_color) > 1 and (lossy or is_two_tone(code.colors)):
        return _snapped(pixels, path, code, lossy)
    raise MaskContentError(_wrong_colors(number[labels == _UNKNOWN], path, code))


def _wrong_values(wrong: list[int], values: NDArray, path: str | Path, code: MaskCode) -> str:
    """What is wrong with a mask of `values` (H, W) of which those in `wrong` are no label's."""
    shown = ", ".join(f"{value} ({int((values == value).sum())} pixels)" for value in wrong[:_SHOWN])
    more = f" and {len(wrong) - _SHOWN} more values" if len(wrong) > _SHOWN else ""
    known = [f"{value} {name}" for value, name in zip(_values_of(code), code.names, strict=True)]
    allowed = f"{listed(known)} and {IGNORE_INDEX} (ignored)"
    advice = _advice_on(path, code)
    if wrong == [0] and code.values is not None:
        advice = f"give it a name in {code.source}: `0 background`, or `0 void` if it is to be ignored"
    return f"{path}: mask value {shown}{more} is no label; allowed are {allowed}; {advice}"


def _wrong_colors(numbers: NDArray[np.int32], path: str | Path, code: MaskCode) -> str:
    """The same of a colour mask; `numbers` are the colours of the pixels without label, R * 65536 + G * 256 + B."""
    found, counts = np.unique(numbers, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:_SHOWN]
    shown = ", ".join(f"({found[i] >> 16}, {found[i] >> 8 & 255}, {found[i] & 255}) ({counts[i]} pixels)" for i in most)
    more = f" and {len(found) - _SHOWN} more colours" if len(found) > _SHOWN else ""
    named = [f"{color} {code.names[index]}" for color, index in code.index_of_color.items()]
    allowed = (
        f"allowed are {listed(named)} and {_WHITE} (ignored)" if named else f"{code.source} has no colours of labels"
    )
    return f"{path}: mask colour {shown}{more} is no label; {allowed}; {_advice_on(path, code)}"


def _advice_on(path: str | Path, code: MaskCode) -> str:
    """What to do about a mask that holds what is no label."""
    if Path(path).suffix.lower() in (".jpg", ".jpeg", ".jpe", ".jfif"):
        return (
            f"JPEG changes the values of a mask: save masks as PNG, or give the labels in {code.source} the colours of "
            "the masks, far from each other: then each pixel gets the label of the nearest colour"
        )
    return f"correct the mask or add the label to {code.source}"


def _snapped(pixels: NDArray[np.uint8], path: str | Path, code: MaskCode, lossy: bool) -> tuple[NDArray[np.uint8], int]:
    """As `nearest_labels`, of all labels that have colours.

    Raises:
        MaskContentError: colours are far from all of them.
    """
    known = code.index_of_color
    exact = {_WHITE: IGNORE_INDEX, **known}
    two_tone = len(code.names) == len(known) == 2
    try:
        return nearest_labels(pixels, exact, known if two_tone else exact, lossy)
    except ValueError as error:
        named = ", ".join(f"{color} {code.names[index]}" for color, index in [*known.items()][:10])
        raise MaskContentError(f"{path}: {error}; labels are {named}; {_advice_on(path, code)}") from error
