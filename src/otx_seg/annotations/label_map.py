"""Labels in JSON and YAML files, recognised by what stands in them: names, alone or with values or colours."""

from __future__ import annotations

import re
from typing import Any

from otx_seg.annotations.label_table import (
    COLOR_WORDS,
    NAME_WORDS,
    VALUE_WORDS,
    ListedLabel,
    color_of,
    value_of,
)
from otx_seg.runtime.plain_files import shown

# What the part with the labels is called, the most telling first.
_PARTS = ("labelmap", "defaultmasktargets", "masktargets", "classes", "categories", "defaultclasses", "names", "labels")


def labels_in_values(content: Any) -> list[ListedLabel]:
    """The labels in plain values; none where they are about something else.

    Read are ``["road", ..]``, ``[{"name": "road", "color": "#804080", "id": 1}, ..]``, ``{"1": "road"}``,
    ``{"#804080": "road"}``, ``{"road": 1}``, ``{"road": [128, 64, 128]}``, and mappings in which one of these is called
    labels, classes, categories, names, label_map or mask_targets (FiftyOne, which has them by field).

    Raises:
        ValueError: a colour or value that is none.
    """
    if isinstance(content, list):
        return _of_list(content)
    if not isinstance(content, dict) or "annotations" in content or "images" in content:
        return []
    about = content.get("info")  # of FiftyOne
    more = {key: value for key, value in about.items() if _word(key) in _PARTS} if isinstance(about, dict) else {}
    by_word = {_word(key): value for key, value in (*more.items(), *content.items())}
    for part in _PARTS:
        found = labels_in_values(by_word[part]) if isinstance(by_word.get(part), (list, dict)) else []
        if found:
            return found
    pairs = [_of_pair(str(key), value) for key, value in content.items()]
    if None not in pairs:
        return [entry for entry in pairs if entry is not None]
    only = next(iter(content.values())) if len(content) == 1 else None  # of one field of several
    return labels_in_values(only) if isinstance(only, dict) else []


def labels_in_pbtxt(text: str) -> list[ListedLabel]:
    """The labels of a label map of TensorFlow, whose value 0 is the background, which it does not list.

    Raises:
        ValueError: an entry without name or value.
    """
    found = []
    for entry in re.findall(r"\{([^{}]*)\}", text):
        name = re.search(r"""display_name\s*:\s*(["'])(.*?)\1""", entry) or re.search(
            r"""name\s*:\s*(["'])(.*?)\1""", entry
        )
        value = re.search(r"\bid\s*:\s*(\d+)", entry)
        if name is None or value is None:
            raise ValueError(f"{shown(' '.join(entry.split()))} is no label; expected are name: 'road' and id: 1")
        found.append(ListedLabel(name[2], None, value_of(value[1], name[2])))
    return with_zero(found, "background")


def with_zero(found: list[ListedLabel], name: str) -> list[ListedLabel]:
    """Labels with values, and before them one for value 0, if none has that."""
    listed = found and all(entry.value for entry in found)
    return [ListedLabel(name, None, 0), *found] if listed else found


def _word(key: object) -> str:
    return "".join(filter(str.isalpha, str(key).casefold()))


def _of_list(entries: list[Any]) -> list[ListedLabel]:
    if all(isinstance(entry, str) for entry in entries):
        return [ListedLabel(entry) for entry in entries]
    if not all(isinstance(entry, dict) for entry in entries):
        return []
    found = [_of_mapping(entry, None) for entry in entries]
    return [entry for entry in found if entry is not None] if None not in found else []


def _of_mapping(entry: dict[str, Any], name: str | None) -> ListedLabel | None:
    """The label that a mapping describes; its name may stand before it."""
    by_word = {_word(key): value for key, value in entry.items()}
    own = next((by_word[word] for word in NAME_WORDS if isinstance(by_word.get(word), str)), name)
    value = next((by_word[word] for word in VALUE_WORDS if type(by_word.get(word)) is int), None)
    color = next((by_word[word] for word in COLOR_WORDS if by_word.get(word) is not None), None)
    if own is None or (own == name and value is None and color is None):
        return None
    return ListedLabel(
        own, None if color is None else color_of(color, own), None if value is None else value_of(value, own)
    )


def _of_pair(key: str, value: Any) -> ListedLabel | None:
    number = key if key.isascii() and key.isdigit() else None
    if isinstance(value, str) and number is not None:
        return ListedLabel(value, value=value_of(number, value))
    if isinstance(value, str):
        # A colour is written on one side or the other.
        color, name = (key, value) if key.startswith("#") else (value, key)
        return ListedLabel(name, color_of(color, name)) if color.startswith("#") else None
    if isinstance(value, dict):
        found = _of_mapping(value, None if number is not None else key)
        return found if found is None or number is None else found._replace(value=value_of(number, found.name))
    if type(value) is int and number is None:
        return ListedLabel(key, value=value_of(value, key))
    return ListedLabel(key, color_of(value, key)) if isinstance(value, list) and number is None else None
