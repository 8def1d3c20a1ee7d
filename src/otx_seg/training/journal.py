"""`metrics.jsonl`: one JSON object per line, readable while the training runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from otx_seg.workspace.atomic import write_text


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
    """The entries of a journal, without a last line that was cut short."""
    entries = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return entries
