"""The table of formats in docs/data.md, written by what reads them: ``python docs/format_table.py``."""

from __future__ import annotations

import re
from pathlib import Path

from otx_seg.datasets.opening import known_formats

PAGE = Path(__file__).with_name("data.md")
BEGIN = "<!-- The table of formats is written by `python docs/format_table.py`. -->"
END = "<!-- End of the table of formats. -->"

_NAME_OF_FILES = re.compile(r"[^\s,;()]*(?:[/_*<]|\.\w)[^\s,;()]*")


def format_table() -> str:
    """A row in Markdown for each format: its name for ``--data-format``, its layout, and its notes."""
    rows = ["| `--data-format` | recognised by | what needs care |", "|---|---|---|"]
    for name, known in known_formats().items():
        layout = _NAME_OF_FILES.sub(r"`\g<0>`", known.layout)
        rows.append(f"| `{name}` | {layout} | {known.notes} |")
    return "\n".join(rows)


def with_table(page: str) -> str:
    """A page with the table between its two marks.

    Raises:
        ValueError: the page has no such marks.
    """
    before, mark, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError("the marks of the table of formats are missing")
    return f"{before}{BEGIN}\n\n{format_table()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
