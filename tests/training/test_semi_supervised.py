"""Training with unlabelled images, from the verb on: what is used, said, recorded, resumed and refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from brief_training import CrashAt, same_weights, train_briefly
from conftest import Messages

from otx_seg.errors import UsageError
from otx_seg.training.checkpoint import read_checkpoint
from otx_seg.training.loggers import read_metrics
from otx_seg.verbs.train import train
from otx_seg.workspace.atomic import write_tensors
from otx_seg.workspace.run_folder import RunFolder

FAST = {
    "semi_supervised.start_epoch": 0,
    "semi_supervised.start_share": 0.0,
    "semi_supervised.ramp_share": 0.0,
}


@pytest.fixture(scope="module")
def unlabelled(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five images: three that are neither for training nor for validation, one of each of these."""
    from otx_seg.datasets.synthetic.draw import draw_dataset

    folder = tmp_path_factory.mktemp("unlabelled")
    draw_dataset(folder / "drawn", 5, 64, seed=9)
    images = folder / "images"
    images.mkdir()
    for number, path in enumerate(sorted((folder / "drawn").glob("*/images/*"))[:3]):
        shutil.copy(path, images / f"new {number}.jpg")
    shutil.copy(next((drawn_data / "train" / "images").iterdir()), images / "copy of train.jpg")
    shutil.copy(next((drawn_data / "val" / "images").iterdir()), images / "copy of val.jpg")
    return images


@pytest.fixture(scope="module")
def finished(drawn_data: Path, unlabelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run."""
    run = tmp_path_factory.mktemp("runs") / "finished"
    train_briefly(drawn_data, run, unlabeled_data_roots=unlabelled, parameters=FAST)
    return run


def test_what_is_recorded(finished: Path, unlabelled: Path) -> None:
    recorded = json.loads((finished / "data.json").read_text())
    assert recorded["unlabelled"] == ["new 0.jpg", "new 1.jpg", "new 2.jpg"]
    assert recorded["unlabelled_root"] == str(unlabelled.resolve())
    report = (finished / "cli_report.log").read_text()
    assert "training: Semisupervised, because unlabelled images are given" in report
    assert "3 unlabelled images" in report
    losses = [entry for entry in read_metrics(finished / "logs" / "metrics.jsonl") if "loss" in entry]
    assert all("unsupervised" in entry for entry in losses)


def test_what_is_said(drawn_data: Path, unlabelled: Path, tmp_path: Path, messages: Messages) -> None:
    parameters = {**FAST, "learning_parameters.num_iters": 1}
    train_briefly(drawn_data, tmp_path / "run", unlabeled_data_roots=unlabelled, parameters=parameters)
    assert "training: Semisupervised, because unlabelled images are given" in messages.text
    for name in ("train", "val"):
        assert f"copy of {name}.jpg: is among the labelled images" in messages.text


def test_unlabelled_images_change_the_result(
    drawn_data: Path, unlabelled: Path, finished: Path, tmp_path: Path
) -> None:
    train_briefly(drawn_data, tmp_path / "plain", parameters=FAST)
    assert not same_weights(tmp_path / "plain", finished)
    fewer = {**FAST, "learning_parameters.unlabeled_batch_size": 2}
    train_briefly(drawn_data, tmp_path / "fewer", unlabeled_data_roots=unlabelled, parameters=fewer)
    assert not same_weights(tmp_path / "fewer", finished)


def test_without_weight_unlabelled_images_change_nothing(drawn_data: Path, unlabelled: Path, tmp_path: Path) -> None:
    train_briefly(drawn_data, tmp_path / "plain")
    ignored = {"semi_supervised.unsupervised_weight": 0.0}
    train_briefly(drawn_data, tmp_path / "ignored", unlabeled_data_roots=unlabelled, parameters=ignored)
    assert same_weights(tmp_path / "plain", tmp_path / "ignored")


@pytest.mark.parametrize("step", [2, 5])
def test_a_crashed_run_goes_on_as_if_nothing_had_happened(
    drawn_data: Path, unlabelled: Path, finished: Path, tmp_path: Path, step: int
) -> None:
    run = tmp_path / "run"
    with pytest.raises(CrashAt.CrashError):
        train_briefly(drawn_data, run, unlabeled_data_roots=unlabelled, parameters=FAST, loggers=[CrashAt(step)])
    train_briefly(drawn_data, run, resume_from=run)
    assert same_weights(run, finished)


def test_a_run_of_an_earlier_version_goes_on_without_what_was_not_known_then(
    drawn_data: Path, unlabelled: Path, tmp_path: Path
) -> None:
    """There was no contrast, and early stopping did not smooth."""
    runs = [tmp_path / "whole", tmp_path / "resumed"]
    how: dict[str, Any] = {"unlabeled_data_roots": unlabelled}
    parameters = {**FAST, "semi_supervised.contrast_weight": 0}
    train_briefly(drawn_data, runs[0], parameters=parameters, **how)
    with pytest.raises(CrashAt.CrashError):
        train_briefly(drawn_data, runs[1], parameters=parameters, loggers=[CrashAt(5)], **how)
    path = RunFolder(runs[1]).checkpoint
    state = read_checkpoint(path)
    del state["template"]["hyper_parameters"]["semi_supervised"]["contrast_weight"]
    del state["early_stopping"]["smoothed"]
    write_tensors(path, state)
    train(resume_from=runs[1])
    assert same_weights(*runs)


def test_a_run_stays_what_it_began_as(drawn_data: Path, unlabelled: Path, finished: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    train_briefly(drawn_data, plain, parameters={"learning_parameters.num_iters": 1})
    with pytest.raises(UsageError, match=r"train_type = 'Incremental', not 'Semisupervised'"):
        train_briefly(drawn_data, plain, resume_from=plain, unlabeled_data_roots=unlabelled)
    with pytest.raises(UsageError, match=r"train_type = 'Semisupervised', not 'Incremental'"):
        train_briefly(drawn_data, finished, resume_from=finished, train_type="Incremental")


def test_arguments_that_contradict_each_other(drawn_data: Path, unlabelled: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Incremental and algo_backend.train_type=Semisupervised contradict"):
        train_briefly(
            drawn_data,
            tmp_path,
            train_type="Incremental",
            unlabeled_data_roots=unlabelled,
            parameters={"algo_backend.train_type": "Semisupervised"},
        )
    with pytest.raises(UsageError, match=r"give --unlabeled-data-roots too"):
        train_briefly(drawn_data, tmp_path, unlabeled_file_list=tmp_path / "list.txt")
