"""The comparison of all networks: made once, resumed, and drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zoo

from otx_seg.datasets.synthetic.draw import draw_dataset

FAST = {"dice": 0.6, "miou": 0.5, "steps": 1000, "torch_ms": 30.0, "fp32_ms": 9.0, "int8_ms": 5.0, "int8_loss": 0.002}
FAST |= {"fp32_mb": 4.0, "int8_mb": 1.1}
SLOW = {**FAST, "dice": 0.7, "int8_ms": 8.0}


def test_the_table_has_the_best_first_and_failures_last() -> None:
    rows = list(zoo.table({"A": FAST, "B": {"failed": "no memory"}, "C": SLOW}))[2:]
    assert rows[0] == "| C | 0.700 | 0.500 | 1,000 | 30.0 | 9.0 | 8.0 | 0.20 | 4.0 / 1.1 |"
    assert [row.split(" | ")[0] for row in rows] == ["| C", "| A", "| B"]
    assert "no memory" in rows[2]


def test_the_best_for_their_time() -> None:
    points = {"A": (5.0, 0.6), "B": (9.0, 0.65), "C": (8.0, 0.7), "D": (5.0, 0.5), "E": (4.0, 0.6)}
    assert zoo.best_for_their_time(points) == ["E", "C"]


def test_what_is_there_is_drawn_and_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("Lite-HRNet-s-mod2", "EfficientNet-Lite0-FPN")
    for name, found in zip(names, (FAST, SLOW), strict=True):
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").write_text(json.dumps(found))
    monkeypatch.setattr("sys.argv", ["zoo.py", "nowhere", str(tmp_path), "--templates", *names])
    zoo.main()
    assert "| Lite-HRNet-s-mod2 | 0.600 |" in capsys.readouterr().out
    assert "<svg" in (tmp_path / "zoo.svg").read_text()


def run(data: Path, output: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    fixed = ["--input-size", "64x64", "--pretrained", "none", "--minutes", "0.05"]
    monkeypatch.setattr("sys.argv", ["zoo.py", str(data), str(output), *fixed, *arguments])
    zoo.main()


@pytest.mark.slow
def test_a_network_from_training_to_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_dataset(tmp_path / "data", images=10, size=64, seed=1)
    arguments = ("--templates", "EfficientNet-Lite0-FPN", "--set", "learning_parameters.batch_size=2")
    run(tmp_path / "data", tmp_path / "out", monkeypatch, *arguments)
    first = capsys.readouterr().out
    assert "| EfficientNet-Lite0-FPN | 0." in first
    (tmp_path / "out" / "EfficientNet-Lite0-FPN" / "result.json").unlink()

    def no_training(*_: Any, **__: Any) -> None:
        raise AssertionError("it is trained already")

    monkeypatch.setattr("otx_seg.train", no_training)
    run(tmp_path / "data", tmp_path / "out", monkeypatch, *arguments)
    assert capsys.readouterr().out.split(" | ")[:3] == first.split(" | ")[:3]
