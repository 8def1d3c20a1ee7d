"""Help, wrong usage, and failures no one foresaw."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from otx_seg.cli.main import VERBS


def test_every_verb_has_help(otx: Any) -> None:
    overview = otx("--help")
    assert overview.code == 0
    for verb, summary in VERBS.items():
        assert verb in overview.out
        assert summary.split()[0] in overview.out
        described = otx(verb, "--help")
        assert described.code == 0
        assert f"{verb} [OPTIONS]" in described.out


def test_version(otx: Any) -> None:
    assert "0." in otx("--version").out


def test_an_unknown_verb_gets_the_nearest(otx: Any) -> None:
    outcome = otx("trian")
    assert outcome.code == 2
    assert "did you mean 'train'" in outcome.message


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["eval"], "--test-data-roots"), (["predict", "--input"], "--input"), (["find", "--frobnicate"], "--frobnicate")],
)
def test_wrong_usage(otx: Any, arguments: list[str], named: str) -> None:
    outcome = otx(*arguments)
    assert outcome.code == 2
    assert named in outcome.message


def test_a_failure_no_one_foresaw_leaves_its_traceback_in_a_file(otx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError("oh no\nsecond line")

    monkeypatch.setattr("otx_seg.cli.find.find_templates", fail)
    outcome = otx("find")
    assert outcome.code == 1
    assert "ZeroDivisionError: oh no" in outcome.message
    file = Path(outcome.message.rsplit(" ", 1)[1])
    assert "Traceback" in file.read_text()
    file.unlink()


def test_results_on_stdout_and_messages_on_stderr(tiny_weights: Path, tiny_data: Any, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "otx_seg", "eval", "--test-data-roots", str(tiny_data.root), "--json"]
    command += ["--load-weights", str(tiny_weights), "--output", str(tmp_path / "run"), "params"]
    command += ["--learning_parameters.num_workers=0"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "80"})
    import json

    assert json.loads(result.stdout)["Dice Average"] == 1.0
