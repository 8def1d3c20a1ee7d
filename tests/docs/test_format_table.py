"""The documentation lists just the formats that are read."""

from __future__ import annotations

import pytest
from format_table import PAGE, format_table, with_table

from otx_seg.datasets.opening import known_formats


def test_the_table_in_the_documentation_is_what_the_readers_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_table(page), "run python docs/format_table.py"


def test_each_format_has_a_row_of_three_cells() -> None:
    _, _, *rows = format_table().splitlines()
    assert len(rows) == len(known_formats())
    for name, row in zip(known_formats(), rows, strict=True):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[0] == f"`{name}`"
        assert len(cells) == 3
        assert all(cells)


def test_a_page_without_marks() -> None:
    with pytest.raises(ValueError, match="marks of the table of formats are missing"):
        with_table("# Data\n")
