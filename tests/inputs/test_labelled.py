"""Which images count as labelled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from otx_seg.datasets import DataSpec
from otx_seg.inputs.labelled import labelled_images
from otx_seg.inputs.resolver import open_resolver
from otx_seg.training.recorded_data import RecordedData
from otx_seg.workspace.run_folder import RunFolder


def recorded(folder: Path, data: DataSpec) -> Path:
    """The weights of a training on these data."""
    run = RunFolder(folder)
    run.weights.parent.mkdir(parents=True)
    run.weights.touch()
    RecordedData(0, "", (), (), (), (), data=data).write(run)
    return run.weights


def test_the_folder_given(drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found, spec = labelled_images(open_resolver(None), DataSpec(train_root=drawn_data / "train"), [])
    assert spec.folders == (drawn_data / "train",)
    assert found.trained_on is not None
    assert len(found) == len(found.trained_on) == 8


def test_else_what_the_first_model_was_trained_on(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    data = DataSpec(train_root=drawn_data / "train", val_root=drawn_data / "val")
    gone = recorded(tmp_path / "gone", DataSpec(train_root=tmp_path / "nowhere"))
    known = recorded(tmp_path / "known", data)
    found, spec = labelled_images(open_resolver(None), DataSpec(), [tmp_path / "foreign.xml", gone, known])
    assert spec == data.resolved()
    assert (len(found), [len(subset) for subset in found.others]) == (10, [2])
    assert "no labelled images are known" not in messages.text


def test_images_validated_and_tested_on_count_once(drawn_data: Path, tmp_path: Path) -> None:
    from otx_seg.verbs.build import build

    build(train_data_roots=drawn_data / "train", val_data_roots=drawn_data / "val", workspace=tmp_path / "w")
    found, _ = labelled_images(open_resolver(tmp_path / "w"), DataSpec(), [])
    assert len(found) == 10
    assert {subset is found.trained_on for subset, _ in found.samples()} == {True, False}


def test_none_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Any) -> None:
    monkeypatch.chdir(tmp_path)
    found, spec = labelled_images(open_resolver(None), DataSpec(), [])
    assert (found.trained_on, len(found), spec) == (None, 0, DataSpec())
    assert "no labelled images are known" in messages.text
    assert "--train-data-roots" in messages.text
