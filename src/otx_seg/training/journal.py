"""`metrics.jsonl`: one JSON object per line, readable while the training runs."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from typing import Any

from otx_seg.errors import DataError
from otx_seg.runtime.plain_files import number, parse_json, whole_number
from otx_seg.words import count
from otx_seg.workspace.atomic import write_text

logger = logging.getLogger(__name__)

_DRAWN = {"loss", "learning_rate", "Dice Average", "mDice", "mIoU"}


class Journal:
    """Appends to a file of JSON lines; each line carries the ``step`` it belongs to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entry: dict[str, Any]) -> None:
        """Add one line and hand it to the operating system at once."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def rewind(self, step: int) -> None:
        """Drop the lines after `step`: a resumed training writes them anew. A line cut short by a kill goes too."""
        if self.path.exists():
            kept = [entry for entry in read_journal(self.path) if entry["step"] <= step]
            write_text(self.path, "".join(json.dumps(entry) + "\n" for entry in kept))


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The entries of a journal: each has a ``step``, and losses or scores that are finite numbers.

    Damaged lines are left out and told of, but for a last one that was cut short.
    """
    entries, damaged = [], []
    *lines, last = path.read_bytes().split(b"\n")
    for index, line in enumerate([*lines, *([last] if last else [])]):
        try:
            entries.append(_entry(line, path))
        except (DataError, ValueError):
            damaged += [index] if index < len(lines) else []
    if damaged:
        lines_left_out = f"{path}: {count(len(damaged), 'damaged line')} left out"
        logger.warning("%s, the first is line %d", lines_left_out, damaged[0] + 1)
    return entries


def _entry(line: bytes, path: Path) -> dict[str, Any]:
    found = parse_json(line, path)
    if not isinstance(found, dict):
        raise ValueError("no mapping")
    found["step"] = whole_number(found.get("step"), 0, 1 << 53, "step")
    for name in _DRAWN & found.keys():
        number(found[name], -math.inf, math.inf, name)
    return found
