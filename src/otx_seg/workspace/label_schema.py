"""`label_schema.json`: the labels of a model, for people and programs that do not read its weights."""

from __future__ import annotations

from pathlib import Path

from otx_seg.labels import Labels, labels_to_plain
from otx_seg.workspace.atomic import write_json


def write_label_schema(path: Path, labels: Labels) -> None:
    """Write the labels to `path`."""
    write_json(path, labels_to_plain(labels))
