"""Fixtures for verbs that fill in what the current folder holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from otx_seg.datasets.synthetic import draw_dataset


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four training images and one for validation, beside the current folder."""
    draw_dataset(tmp_path / "data", images=5, size=64, seed=1)
    return tmp_path / "data"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"
