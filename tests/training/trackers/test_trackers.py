"""Trackers by name: found, refused, resumed with, and dropped when they fail."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
from brief_training import At, train_briefly

import otx_seg
from otx_seg.errors import OtxError, UsageError
from otx_seg.training import trackers
from otx_seg.training.loggers import Loggers
from otx_seg.training.trackers import open_trackers, tracker_names
from otx_seg.training.trackers.tensorboard import Tensorboard
from otx_seg.verbs import train as verb


def test_every_tracker_is_an_extra_of_its_name() -> None:
    project = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    assert tracker_names() == ["clearml", "comet", "mlflow", "tensorboard", "wandb"]
    assert all(f"\n{name} = [" in project.split("[project.optional-dependencies]")[1] for name in tracker_names())


def test_unknown_and_missing_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Any) -> None:
    with pytest.raises(UsageError, match=r"--tracker tensorbord: unknown; did you mean 'tensorboard'\?"):
        otx_seg.train("nowhere", trackers=["tensorbord"])
    with pytest.raises(UsageError, match=r"--tracker x: unknown; known: clearml, comet, mlflow, tensorboard, wandb"):
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
    class Full(Tensorboard):
        def begin(self, step: int, run_id: str | None) -> None:
            raise OSError(28, "no space\nleft")

    monkeypatch.setattr(trackers, "_class_of", lambda name: Full)
    told = Loggers(open_trackers(["tensorboard"], tmp_path, resumed=False))
    for step in (0, 5):
        told.on_begin(step)
    told.on_end(None)
    told.on_close()
    assert messages.text.count("tensorboard") == 1
    assert "the tracker tensorboard failed and gets nothing more; the training continues" in messages.text
    assert "Errno" not in messages.text


class Noting(Tensorboard):
    """Notes when it is told of the report and closed."""

    noted: ClassVar[list[object]] = []

    def add_file(self, path: Path) -> None:
        self.noted.append(path.read_text())

    def end(self, finished: bool) -> None:
        super().end(finished)
        self.noted.append(finished)


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    monkeypatch.setattr(trackers, "_class_of", lambda name: Noting)
    monkeypatch.setattr(Noting, "noted", [])
    return Noting.noted


def test_they_stay_open_until_the_report_is_written(drawn_data: Path, tmp_path: Path, noted: list[object]) -> None:
    train_briefly(drawn_data, tmp_path / "run", trackers=["tensorboard"])
    assert noted == [(tmp_path / "run" / "report.html").read_text(), True]


@pytest.mark.parametrize("breaks", ["training", "report", "plan"])
def test_they_are_closed_whatever_breaks(
    drawn_data: Path, tmp_path: Path, noted: list[object], monkeypatch: pytest.MonkeyPatch, breaks: str
) -> None:
    def broken(*_: object) -> None:
        raise OtxError("no paper")

    loggers = [At(2, broken)] if breaks == "training" else []
    if breaks != "training":
        monkeypatch.setattr(verb, "finish" if breaks == "report" else "announce_plan", broken)
    with pytest.raises(OtxError, match="no paper"):
        train_briefly(drawn_data, tmp_path / "run", trackers=["tensorboard"], loggers=loggers)
    assert noted == {"training": [False], "report": [True], "plan": []}[breaks]
