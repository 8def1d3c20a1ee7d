"""Texts from outside in tables, bars and messages."""

from __future__ import annotations

import io
import os
import threading

import pytest
from rich.progress import Progress, TextColumn
from rich.table import Table
from rich.text import Text

from otx_seg.report.console import LONGEST_TEXT, PlainConsole
from otx_seg.report.tables import table

EVIL = "a\x1b[31mb\x9b1mc\u202ed\x07e\x7f\r"
SHOWN = r"a\x1b[31mb\x9b1mc\u202ed\x07e\x7f\r"


def printed(item: object, **options: object) -> str:
    console = PlainConsole(file=io.StringIO(), width=120, force_terminal=False, **options)
    console.print(item)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_messages_and_cells() -> None:
    assert printed(f"{EVIL} [bold]x[/bold] :smile:") == f"{SHOWN} [bold]x[/bold] :smile:\n"
    assert printed("a\nb\n  c") == "a\\nb\n  c\n"
    made = Table(EVIL, title=EVIL)
    made.add_row(EVIL)
    assert printed(made).count(SHOWN) == 3


def test_a_text_with_styles_is_no_way_around() -> None:
    shown = printed(Text.assemble(("a\x1b]0;title", "red"), "\x9b"))
    assert shown == "a\\x1b]0;title\\x9b\n"


def test_long_texts() -> None:
    made = Table("label")
    made.add_row("x" * 200_000)
    assert printed(made).count("x") < LONGEST_TEXT
    assert len(printed("x" * 200_000)) < 6_000


def test_a_bar_on_a_terminal() -> None:
    console = PlainConsole(file=io.StringIO(), force_terminal=True, color_system="standard", width=200)
    with Progress(TextColumn("{task.description}", markup=False), console=console) as progress:
        progress.add_task(f"[bold]{EVIL}" + " " * 40)
    out = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[bold]a\\x1b[31mb\\x9b1mc\\u202ed" in out
    assert "\x1b[31m" not in out
    assert "\x1b[?25l" in out  # rich's own commands stay


def test_lines_of_tables_in_ascii() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace")
    PlainConsole(file=file, width=80).print(table(("é", "Dice"), [("日本", 1), ("é" * 100, 2)]))
    file.flush()
    shown = file.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    assert "\\xe9" in shown
    assert "\\u65e5" in shown
    assert len({len(line) for line in shown.splitlines()}) == 1
    assert "+--" in shown
    assert "\\u2" not in shown


def test_a_reader_that_goes_ends_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as file:  # noqa: PTH123
        console = PlainConsole(file=file)
        for _ in range(3):
            console.print("x")
        printing = threading.Thread(target=console.print, args=["y"])
        printing.start()
        printing.join()
    assert capfd.readouterr() == ("", "")
