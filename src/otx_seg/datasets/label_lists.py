"""Labels of data sets that list them elsewhere than in ``dataset_meta.json``: in a text file, or by convention."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from otx_seg.datasets.dataset_meta import check_names
from otx_seg.datasets.masks import Color, MaskCode
from otx_seg.errors import DataError
from otx_seg.labels import Labels, background_index, default_colors
from otx_seg.runtime.images import read_bytes

Listed = Mapping[str, "Color | None"]
"""Label names in index order, each with its colour if it has one."""


_NUMBERED = re.compile(r"([0-9]{1,3})(?:\s*:\s*|\s+)(\S.*)")


def read_label_list(path: Path) -> dict[str, Color | None]:
    """Labels of a text file: one name per line, with a colour before or after it if masks are in colours.

    ``road``, ``road 128 64 128`` and ``128 64 128 road`` all are the label road. Empty lines and those that begin with
    # do not count. Where each name begins with its number (``0 background``, ``1: road``), that is no part of it.

    Raises:
        DataError: the file cannot be read, or a label or colour stands in it twice.
    """
    listed: list[tuple[str, Color | None]] = []
    for line in lines_of(path):
        words = line.split()
        if len(words) > 3 and all(map(_is_channel, words[:3])):
            name, color = " ".join(words[3:]), _color(words[:3])
        elif len(words) > 3 and all(map(_is_channel, words[-3:])):
            name, color = " ".join(words[:-3]), _color(words[-3:])
        else:
            name, color = line, None
        listed.append((name, color))
    found: dict[str, Color | None] = {}
    for name, (_, color) in zip(_without_numbers([name for name, _ in listed]), listed, strict=True):
        if name in found:
            raise DataError(f"{path}: the label {name!r} stands there twice; give each its own name")
        found[name] = color
    return found


def _without_numbers(names: list[str]) -> list[str]:
    """The names without the numbers of their mask values, if each name has its own and they differ without it too."""
    matches = [_NUMBERED.fullmatch(name) for name in names]
    numbered = [match[2] for number, match in enumerate(matches) if match and int(match[1]) == number]
    return numbered if len(set(numbered)) == len(names) else names


def lines_of(path: Path) -> list[str]:
    """The lines of a text file that are neither empty nor begin with #, without spaces around them.

    Raises:
        DataError: the file cannot be read, or is no UTF-8 text.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is no UTF-8 text ({error}); save it as UTF-8") from error
    return [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]


def _is_channel(word: str) -> bool:
    return word.isascii() and word.isdigit() and int(word) <= 255


def _color(words: Iterable[str]) -> Color:
    red, green, blue = map(int, words)
    return red, green, blue


def labels_and_code(
    listed: Listed, where: Path, void: Sequence[str] = (), by_value: bool = False, instance_bits: int = 0
) -> tuple[Labels, MaskCode]:
    """Labels, and what the values and colours of their masks mean.

    Args:
        listed: in the order of the values of index masks.
        where: the file or folder the labels come from, for messages.
        void: labels of `listed` whose pixels are ignored.
        by_value: whether masks hold values alone, so that labels may share colours.
        instance_bits: see `MaskCode`.

    Raises:
        DataError: labels that cannot be used, or two with the same colour.
    """
    names = tuple(name for name in listed if name not in void)
    check_names(names, where)
    colors = {name: color for name, color in listed.items() if color is not None and not by_value}
    for name, color in colors.items():
        twin = next(other for other in colors if colors[other] == color)
        if twin != name:
            raise DataError(f"{where}: the labels {twin!r} and {name!r} have the same colour {color}")
    shown = tuple(listed[name] or fallback for name, fallback in zip(names, default_colors(len(names)), strict=True))
    labels = Labels(names, shown, background_index(names))
    hidden = tuple(name for name in listed if name in void)
    code = MaskCode(tuple(listed), tuple(colors.get(name) for name in listed), hidden, instance_bits, where.name)
    return labels, code
