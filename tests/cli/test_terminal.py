"""What reaches the terminal of names and labels that hold anything, and terminals that show little."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

EVIL = "e\x1b]0;t\x07v\x9b1m\u202eil\n!"
SHOWN = r"e\x1b]0;t\x07v\x9b1m\u202eil\n!"
# tox sets PYTHONIOENCODING; empty is as good as not set.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}


@pytest.fixture
def data(save: Any, tmp_path: Path) -> Path:
    """Labelled images, one of which lacks its mask, in a folder and with names and a label of all sorts."""
    root = tmp_path / f"données{EVIL}"
    for number in range(6):
        save(root / "images" / f"é{EVIL}{number}.png", np.full((32, 32, 3), 40 * number, np.uint8))
        mask = np.zeros((32, 32), np.uint8)
        mask[:9] = 1
        if number:
            save(root / "masks" / f"é{EVIL}{number}.png", mask)
    names = {"label_map": {"0": "background", "1": "é" + "x" * 900}}
    (root / "dataset_meta.json").write_text(json.dumps(names))
    return root


def run(*arguments: object, environment: dict[str, str] | None = None, redirected: str = "") -> tuple[int, bytes]:
    """Exit code, and what `otx` printed to stdout and stderr."""
    command = ["bash", "-c", f'"$0" -m otx_seg "$@" {redirected}', sys.executable, *map(str, arguments)]
    result = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "100", **(environment or {})},
    )
    return result.returncode, result.stdout


def holds_name(told: str | bytes) -> bool:
    return json.dumps(EVIL)[1:-1] in json.dumps(json.loads(told))


def test_names_of_all_sorts(otx: Any, data: Path) -> None:
    outcome = otx("check", "--data-roots", data)
    assert outcome.code == 0
    assert f"é{SHOWN}0.png: image without mask" in outcome.out
    assert (outcome.out + outcome.err).replace("\n", "").isprintable()
    assert len(outcome.out) < 10_000
    assert holds_name(otx("check", "--data-roots", data, "--json").out)
    wrong = otx("check", "--data-roots", data / EVIL)
    assert wrong.code == 3
    assert SHOWN in wrong.err
    assert wrong.err.count("\n") == 1
    assert wrong.err.strip().isprintable()


@pytest.mark.parametrize(
    "words", [("find", f"--{EVIL}"), (EVIL,), ("train", f"--seed={EVIL}"), ("find", "--template", EVIL)]
)
def test_words_of_all_sorts(otx: Any, words: tuple[str, ...]) -> None:
    outcome = otx(*words)
    assert outcome.code == 2
    assert outcome.err.replace("\n", "").isprintable()
    assert "v\\x9b1m\\u202eil\\n!" in outcome.err


def test_a_terminal_that_knows_ascii_alone(data: Path) -> None:
    code, out = run("check", "--data-roots", data, environment=ASCII)
    assert code == 0
    assert rb"\xe9e\x1b]0;t\x07v\x9b1m\u202eil\n!0.png: image without mask" in out
    assert out.isascii()
    code, out = run("check", "--data-roots", data, "--json", environment=ASCII)
    assert code == 0
    assert out.isascii()
    assert holds_name(out)
    code, out = run("check", "--data-roots", data, environment={"PYTHONIOENCODING": "latin-1"})
    assert code == 0
    assert "é".encode("latin-1") in out


@pytest.mark.parametrize("redirected", [">&-", "2>&-", ">&- 2>&- <&-", "| true; exit ${PIPESTATUS[0]}", "2>&1 | true"])
@pytest.mark.parametrize("verb", ["find", "check", "--help"])
def test_no_one_listens(data: Path, verb: str, redirected: str) -> None:
    code, out = run(verb, *(["--data-roots", data] if verb == "check" else []), redirected=redirected)
    assert code in ((0, 1) if verb == "--help" else (0,))  # click takes help that no one reads for a failure
    assert b"Traceback" not in out
    assert b"Error" not in out


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("the system has no full device")
    code, out = run("find", redirected="> /dev/full")
    assert code == 1
    assert out.count(b"\n") == 1
    assert b"No space left on device" in out
