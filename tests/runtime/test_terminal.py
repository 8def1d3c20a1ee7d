"""Texts from outside on a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from otx_seg.runtime.terminal import LONGEST_CELL, as_cell, as_entry, as_message, printable, say, say_json

UNSEEN = [chr(code) for code in (*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0))]
UNSEEN += [*"\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\udcff"]
SEEN = "aé 日本 ✓ 😀 \u0646\u200c\u0645 [bold] :smile:"


@pytest.mark.parametrize("character", UNSEEN)
def test_what_no_one_sees_is_shown_by_its_code(character: str) -> None:
    shown = printable(f"a{character}b")
    assert shown.isprintable()
    assert shown.startswith("a\\")
    assert shown.encode("ascii").decode("unicode_escape") == f"a{character}b"


def test_other_characters_stay() -> None:
    assert printable(SEEN) == SEEN
    assert printable("one\ntwo") == "one\ntwo"


def test_a_long_text_loses_its_middle() -> None:
    shown = printable("begin" + "x" * 200_000 + "end", 100)
    assert shown.startswith("beginxx")
    assert shown.endswith("xxend")
    assert "... (199,908 characters left out) ..." in shown
    assert printable("x" * 100, 100) == "x" * 100


@pytest.mark.parametrize("text", ["x" * 300, "x" * 200_000, "\x1b" * 60, "\U000e0001" * 60, "a\n" * 60])
def test_a_cell_is_one_short_line(text: str) -> None:
    cell = as_cell(text)
    assert len(cell) == LONGEST_CELL
    assert "..." in cell
    assert cell.isprintable()


def test_a_cell_with_a_text_that_fits() -> None:
    assert as_cell("x" * LONGEST_CELL) == "x" * LONGEST_CELL
    assert as_cell("red\nbrick") == r"red\nbrick"


def test_only_indented_lines_belong_to_a_message() -> None:
    assert as_message("faults:\n  one\n  two") == "faults:\n  one\n  two"
    assert as_message("a\nError: b.png: unreadable") == r"a\nError: b.png: unreadable"
    assert as_entry("a\n2026-01-01 INFO: fake\n  own") == "a\n  2026-01-01 INFO: fake\n  own"
    assert len(as_entry("x" * 200_000)) == 200_000


def test_json_stays_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    values = {"".join(UNSEEN): ["\U000e0041", SEEN, "x" * 200_000]}
    say_json(values)
    out = capsys.readouterr().out
    assert json.loads(out) == values
    assert SEEN in out
    assert out.replace("\n", "").replace("\u200c", "").isprintable()


def ended(code: str, *, environment: dict[str, str] | None = None, redirected: str = "") -> tuple[int, bytes, bytes]:
    """Exit code, stdout and stderr of a program that says something."""
    program = f"from otx_seg.runtime.terminal import prepare_streams, say, say_json\nprepare_streams()\n{code}"
    command = ["bash", "-c", f'"$0" -c "$1" {redirected}', sys.executable, program]
    result = subprocess.run(command, capture_output=True, env={**os.environ, **(environment or {})})
    return result.returncode, result.stdout, result.stderr


# tox sets PYTHONIOENCODING; empty is as good as not set.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}


def test_a_terminal_that_knows_few_characters() -> None:
    code, out, _ = ended(r"say('\xe9 \u2713 \udcff'); say_json('\xe9 \u2713')", environment=ASCII)
    assert (code, out) == (0, b'\\xe9 \\u2713 \\udcff\n"\\u00e9 \\u2713"\n')
    code, out, error = ended(
        r"say('\xe9 \u2713'); say('\u2713', error=True)", environment={"PYTHONIOENCODING": "latin-1"}
    )
    assert (code, out, error) == (0, b"\xe9 \\u2713\n", b"\\u2713\n")


def test_closed_streams_are_no_place_for_files() -> None:
    code = (
        "import os, sys\nnumber = os.open('/dev/null', 0)\nsay('a'); say('b', error=True); print('c')\nsys.exit(number)"
    )
    number, out, error = ended(code, redirected="<&- >&- 2>&-")
    assert number > 2
    assert (out, error) == (b"", b"")


def test_a_pipe_that_no_one_reads_does_not_end_the_work() -> None:
    code = "import time\ntime.sleep(0.3)\nfor _ in range(2000): say('x' * 100)\nsay('done', error=True)"
    assert ended(code, redirected="| true; exit ${PIPESTATUS[0]}") == (0, b"", b"done\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no full device")  # noqa: PTH110
def test_a_full_disk_is_told_once() -> None:
    code = "try: say('x')\nexcept OSError as error: say(error.strerror, error=True)"
    assert ended(code, redirected="> /dev/full") == (0, b"", b"No space left on device\n")
    assert ended("say('x', error=True)", redirected="2> /dev/full") == (0, b"", b"")


def test_several_messages(capsys: pytest.CaptureFixture[str]) -> None:
    say("one", "two\nthree", "")
    assert capsys.readouterr().out == "one\ntwo\\nthree\n\n"
