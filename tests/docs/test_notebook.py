"""The notebook runs from its first cell to its last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from markdown_pages import ROOT

CELLS = json.loads((ROOT / "docs" / "quickstart.ipynb").read_text(encoding="utf-8"))["cells"]


def test_it_carries_no_results() -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in CELLS if "outputs" in cell)


def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    code = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]
    for cell in code:
        exec(compile(cell.replace("minutes = 0.2", "minutes = 0.05"), "quickstart.ipynb", "exec"), names)
    assert (tmp_path / "package" / "openvino.zip").stat().st_size > 1e6
    assert names["found"].mask.shape == (64, 64)
    printed = capsys.readouterr().out
    assert "steps" in printed
    assert "in INT8" in printed
