"""Trackers by name: found, refused, resumed with, and dropped when they fail."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import otx_seg
from otx_seg.errors import UsageError
from otx_seg.training import trackers
from otx_seg.training.loggers import Loggers
from otx_seg.training.trackers import open_trackers, tracker_names


def test_every_tracker_is_an_extra_of_its_name() -> None:
    project = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    assert "tensorboard" in tracker_names()
    assert all(f"\n{name} = [" in project.split("[project.optional-dependencies]")[1] for name in tracker_names())


def test_unknown_and_missing_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Any) -> None:
    with pytest.raises(UsageError, match=r"--tracker tensorbord: unknown; did you mean 'tensorboard'\?"):
        otx_seg.train("nowhere", trackers=["tensorbord"])
    with pytest.raises(UsageError, match=r"--tracker x: unknown; known: tensorboard"):
        otx_seg.run("nowhere", trackers=["x"])
    for module in ("otx_seg.training.trackers.tensorboard", "torch.utils.tensorboard"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(UsageError, match=r"tensorboard.*; install it: pip install 'otx-seg\[tensorboard\]'"):
        otx_seg.train("nowhere", trackers=["tensorboard"])
    # A run that had it resumes without it.
    (tmp_path / "tensorboard").mkdir()
    assert open_trackers((), tmp_path, resumed=True) == []
    assert "resumes without one of its trackers: --tracker tensorboard" in messages.text


def test_a_run_goes_on_with_those_it_had(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").mkdir()
    assert len(open_trackers((), tmp_path, resumed=True)) == 1
    assert len(open_trackers(["tensorboard", "tensorboard"], tmp_path, resumed=True)) == 1
    assert open_trackers((), tmp_path, resumed=False) == []


def test_one_that_fails_is_dropped_and_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Any
) -> None:
    class Full(trackers.Logger):
        def __init__(self, folder: Path) -> None:
            self.folder = folder

        def on_begin(self, step: int) -> None:
            raise OSError(28, "no space\nleft")

    monkeypatch.setattr(trackers, "_class_of", lambda name: Full)
    told = Loggers(open_trackers(["tensorboard"], tmp_path, resumed=False))
    for step in (0, 5):
        told.on_begin(step)
    told.on_end(None)
    assert messages.text.count("tensorboard") == 1
    assert "the tracker tensorboard failed and gets nothing more; the training continues" in messages.text
    assert "Errno" not in messages.text
