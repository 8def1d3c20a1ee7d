"""Reading ``dataset_meta.json``: the labels of a data set and their colours.

The file is Datumaro's. It is checked entry by entry, because Datumaro's reader takes what it finds; and importing that
reader would take longer than all else that is done to open a data set.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from otx_seg.annotations.masks import MAX_LABELS, MaskCode
from otx_seg.errors import DataError
from otx_seg.labels import Labels, background_index, check_names, default_colors, means_background
from otx_seg.runtime.plain_files import read_json, shown

META_FILE = "dataset_meta.json"

_EXAMPLE = '{"label_map": {"0": "background", "1": "cat"}, "segmentation_colors": [[0, 0, 0], [255, 0, 0]]}'

_KEYS = ("label_map", "labels", "segmentation_colors", "background_label", "ignored_labels")

_PLAIN_NUMBER = re.compile("0|[1-9][0-9]{0,8}")


def read_dataset_meta(path: Path) -> tuple[Labels, MaskCode]:
    """The labels of a data set, in its order, and what the values and colours of its masks mean.

    Labels without a colour get one for overlays from `default_colors`, but no mask colour. The background is
    the label ``background_label`` gives the number of, else the one called background, else there is none.

    Args:
        path: a ``dataset_meta.json``.

    Raises:
        DataError: the file is missing, broken, or holds no usable set of at least two labels.
    """
    content = _read_json(path)
    for key in content.keys() - {*_KEYS}:
        if meant := get_close_matches(key[:100], _KEYS, 1, 0.8):
            raise DataError(f"{path}: unknown key {shown(key)}; did you mean {meant[0]!r}?")
    names = _label_names(content, path)
    check_labels(names, path)
    colors = content.get("segmentation_colors")
    _check_colors(colors, names, path)
    code = MaskCode(names, tuple(color and (color[0], color[1], color[2]) for color in colors or [None] * len(names)))
    visible = [color or fallback for color, fallback in zip(code.colors, default_colors(len(names)), strict=True)]
    return Labels(names, tuple(visible), _background(content, names, path)), code


def read_ignored_labels(path: Path) -> dict[str, tuple[str, ...]]:
    """The labels whose annotation does not count in some images: names by pattern of the image's name.

    The file's ``ignored_labels`` map a path below ``images/``, in which ``*`` stands for anything, to label names.

    Args:
        path: a ``dataset_meta.json`` that `read_dataset_meta` has accepted.

    Raises:
        DataError: the entry is no such mapping, or names an unknown label.
    """
    content = _read_json(path)
    listed = content.get("ignored_labels", {})
    example = '{"old/*.jpg": ["cat"]}'
    if not isinstance(listed, dict) or not all(isinstance(labels, list) for labels in listed.values()):
        raise DataError(f"{path}: ignored_labels should map images to lists of labels, for example {example}")
    names = _label_names(content, path)
    for pattern, labels in listed.items():
        unknown = [label for label in labels if label not in names]
        if unknown:
            raise DataError(
                f"{path}: ignored_labels of {shown(pattern)}: {shown(unknown[0])} is none of the {len(names)} labels"
            )
    return {pattern: tuple(labels) for pattern, labels in listed.items()}


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DataError(f"{path}: the file is missing; it names the labels, for example {_EXAMPLE}")

    content = read_json(path, f"it should look like {_EXAMPLE}")
    if not isinstance(content, dict):
        raise DataError(f"{path}: a JSON object is expected, for example {_EXAMPLE}")
    return content


def _label_names(content: dict[str, Any], path: Path) -> tuple[str, ...]:
    listed, mapped = content.get("labels"), content.get("label_map")
    if listed is not None and not (isinstance(listed, list) and all(isinstance(name, str) for name in listed)):
        raise DataError(f"{path}: labels should be a list of names")
    if mapped is None:
        if listed is None:
            raise DataError(f"{path}: no label_map; it should look like {_EXAMPLE}")
        return tuple(listed)
    names = _names_by_index(mapped, path)
    if listed is not None and tuple(listed) != names:
        raise DataError(f"{path}: labels {shown(listed)} and label_map {shown(list(names))} differ; remove one of them")
    return names


def _names_by_index(mapped: Any, path: Path) -> tuple[str, ...]:
    if not isinstance(mapped, dict) or not all(isinstance(name, str) for name in mapped.values()):
        raise DataError(f'{path}: label_map should map mask values to names, for example {{"0": "background"}}')
    by_index: dict[int, str] = {}
    for key, name in mapped.items():
        # Only the plain spelling: int() would also take " 1", "1_0" and other scripts' digits.
        if not _PLAIN_NUMBER.fullmatch(key):
            raise DataError(f"{path}: label_map key {shown(key)} is not an integer; keys are mask values: 0, 1, 2, ...")
        by_index[int(key)] = name
    missing = sorted(set(range(len(by_index))) - set(by_index))
    if missing:
        raise DataError(
            f"{path}: label_map has {len(by_index)} labels but none for mask value {missing[0]}; number the labels "
            "from 0 without gaps"
        )
    return tuple(by_index[index] for index in range(len(by_index)))


def check_labels(names: tuple[str, ...], path: Path) -> None:
    """Refuse label names that cannot be used, or too few or many of them.

    Raises:
        DataError: naming `path`, the file or folder they stand in.
    """
    if len(names) > MAX_LABELS:
        raise DataError(f"{path}: {len(names)} labels; at most {MAX_LABELS} are possible")
    try:
        check_names(names)
    except ValueError as error:
        raise DataError(f"{path}: {error}; give each label a different name") from error
    if len(names) < 2:
        only = f"only the label {shown(names[0])}" if names else "no label"
        more = "label what it should find" if any(map(means_background, names)) else "add, say, 'background'"
        raise DataError(f"{path}: {only}; a network needs at least two to tell apart: {more}")


def _check_colors(colors: Any, names: tuple[str, ...], path: Path) -> None:
    if colors is None or colors == []:
        return
    if not isinstance(colors, list) or len(colors) != len(names):
        raise DataError(f"{path}: segmentation_colors should be a list of {len(names)} colours, one for each label")
    for index, color in enumerate(colors):
        if color is not None and not _is_color(color):
            raise DataError(
                f"{path}: segmentation_colors[{index}] is {shown(color)}; a colour is [red, green, blue], 0-255"
            )
        if color is not None and color in colors[:index]:
            first = names[colors.index(color)]
            raise DataError(f"{path}: the labels {shown(first)} and {shown(names[index])} have the same colour {color}")


def _is_color(color: Any) -> bool:
    return isinstance(color, list) and len(color) == 3 and all(type(part) is int and 0 <= part <= 255 for part in color)


def _background(content: dict[str, Any], names: tuple[str, ...], path: Path) -> int | None:
    number = content.get("background_label")
    if number is None:
        return background_index(names)
    if str(number) not in [str(index) for index in range(len(names))]:
        raise DataError(
            f"{path}: background_label is {shown(number)}; it should be a label's number, 0-{len(names) - 1}"
        )
    return int(number)
