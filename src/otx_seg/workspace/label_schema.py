"""`label_schema.json`: the labels of a model, for people and programs that do not read its weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from otx_seg.errors import UsageError
from otx_seg.labels import Labels
from otx_seg.workspace.atomic import write_json


def labels_to_plain(labels: Labels) -> dict[str, Any]:
    """The labels as lists, numbers and texts."""
    return {
        "names": list(labels.names),
        "colors": [list(color) for color in labels.colors],
        "background": labels.background,
    }


def labels_from_plain(plain: dict[str, Any]) -> Labels:
    """The inverse of `labels_to_plain`.

    Raises:
        KeyError, TypeError, ValueError: the values do not describe labels.
    """
    colors = tuple((int(red), int(green), int(blue)) for red, green, blue in plain["colors"])
    return Labels(names=tuple(map(str, plain["names"])), colors=colors, background=plain["background"])


def write_label_schema(path: Path, labels: Labels) -> None:
    """Write the labels to `path`."""
    write_json(path, labels_to_plain(labels))


def read_label_schema(path: Path) -> Labels:
    """Read labels written by `write_label_schema`.

    Raises:
        UsageError: the file is missing or holds something else.
    """
    try:
        return labels_from_plain(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: is no label schema of this toolkit ({error})") from error
