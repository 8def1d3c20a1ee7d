"""Training with a teacher, from the verb on: what is learned, recorded, resumed and refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from brief_training import CrashAt, same_weights, train_briefly, weights_of
from conftest import Messages

from otx_seg.datasets.synthetic.draw import NAMES, draw_dataset
from otx_seg.deployment.export import export
from otx_seg.errors import UsageError
from otx_seg.hpo import length
from otx_seg.labels import labels_called
from otx_seg.training.loggers import read_metrics
from otx_seg.verbs.train import train
from otx_seg.workspace.teacher_file import teacher_at
from otx_seg.workspace.tensor_file import read_tensors
from otx_seg.workspace.weights import read_weights, write_weights

ONE_EPOCH = {"learning_parameters.num_iters": 1}


@pytest.fixture(scope="module")
def finished(drawn_data: Path, small_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run with a teacher."""
    run = tmp_path_factory.mktemp("runs") / "finished"
    train_briefly(drawn_data, run, teacher=small_weights)
    return run


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unlabelled")
    draw_dataset(folder, 5, 64, seed=9)
    return folder / "train" / "images"


def losses_of(run: Path) -> list[dict[str, Any]]:
    return [entry for entry in read_metrics(run / "logs" / "metrics.jsonl") if "loss" in entry]


def test_what_is_recorded(finished: Path, small_weights: Path) -> None:
    recorded = json.loads((finished / "data.json").read_text())["teacher"]
    assert recorded == {"path": str(small_weights.resolve()), "digest": teacher_at(small_weights).digest}
    report = (finished / "cli_report.log").read_text()
    assert (
        f"teacher {small_weights.resolve()}: channel_wise, weight 3, temperature 4\nSHA-256 {recorded['digest']}"
        in report
    )
    assert all(entry["distillation"] > 0 for entry in losses_of(finished))


def test_the_teacher_changes_the_student_and_is_no_part_of_it(
    drawn_data: Path, small_weights: Path, finished: Path, tmp_path: Path, messages: Messages
) -> None:
    plain, again = tmp_path / "plain", tmp_path / "again"
    train_briefly(drawn_data, plain)
    before = small_weights.read_bytes()
    train_briefly(drawn_data, again, teacher=small_weights)
    assert f"teacher {small_weights.resolve()}: channel_wise, weight 3, temperature 4" in messages.text
    assert same_weights(again, finished)
    assert not same_weights(plain, finished)
    assert weights_of(plain).keys() == weights_of(finished).keys()
    states = [read_tensors(run / "logs" / "checkpoint" / "state.pth") for run in (plain, finished)]
    assert states[0]["algorithm"].keys() == states[1]["algorithm"].keys()
    assert len(states[0]["optimizer"]["state"]) == len(states[1]["optimizer"]["state"])
    assert small_weights.read_bytes() == before


@pytest.mark.parametrize("form", ["openvino", "onnx"])
def test_an_exported_teacher_teaches_the_same(drawn_data: Path, small_weights: Path, tmp_path: Path, form: Any) -> None:
    model = export(small_weights, tmp_path / "exported", form).model
    for name, teacher in (("torch", small_weights), ("exported", model)):
        train_briefly(drawn_data, tmp_path / name, teacher=teacher, parameters=ONE_EPOCH)
    first, second = (losses_of(tmp_path / name)[0] for name in ("torch", "exported"))
    assert second["distillation"] == pytest.approx(first["distillation"], rel=1e-3)


def test_labels_in_another_order(drawn_data: Path, small_weights: Path, finished: Path, tmp_path: Path) -> None:
    weights = read_weights(small_weights)
    order = [3, 0, 5, 1, 4, 2]
    turned = {key: value[order] if ".conv_seg." in key else value for key, value in weights.state_dict.items()}
    assert weights.template is not None
    other = tmp_path / "turned.pth"
    write_weights(other, turned, labels_called([NAMES[index] for index in order]), weights.template, "turned")
    train_briefly(drawn_data, tmp_path / "run", teacher=other, parameters=ONE_EPOCH)
    found = losses_of(tmp_path / "run")[0]["distillation"]
    assert found == pytest.approx(losses_of(finished)[0]["distillation"], rel=1e-5)


@pytest.mark.parametrize("step", [2, 5])
def test_a_crashed_run_goes_on_as_if_nothing_had_happened(
    drawn_data: Path, small_weights: Path, finished: Path, tmp_path: Path, step: int
) -> None:
    run = tmp_path / "run"
    with pytest.raises(CrashAt.CrashError):
        train_briefly(drawn_data, run, teacher=small_weights, loggers=[CrashAt(step)])
    train_briefly(drawn_data, run, resume_from=run)
    assert same_weights(run, finished)


def test_semi_supervised_training_goes_on_too(
    drawn_data: Path, unlabelled: Path, small_weights: Path, tmp_path: Path
) -> None:
    how: dict[str, Any] = {"unlabeled_data_roots": unlabelled, "teacher": small_weights}
    how["parameters"] = {"semi_supervised.start_epoch": 0, "semi_supervised.start_share": 0.0}
    train_briefly(drawn_data, tmp_path / "whole", **how)
    with pytest.raises(CrashAt.CrashError):
        train_briefly(drawn_data, tmp_path / "run", loggers=[CrashAt(5)], **how)
    train_briefly(drawn_data, tmp_path / "run", resume_from=tmp_path / "run")
    assert same_weights(tmp_path / "run", tmp_path / "whole")
    assert all({"distillation", "unsupervised"} <= entry.keys() for entry in losses_of(tmp_path / "whole"))


def test_supervised_contrastive_training(drawn_data: Path, small_weights: Path, tmp_path: Path) -> None:
    parameters = {**ONE_EPOCH, "learning_parameters.enable_supcon": True, "distillation.loss": "logits"}
    train_briefly(drawn_data, tmp_path / "run", teacher=small_weights, parameters=parameters)
    assert {"distillation", "contrast"} <= losses_of(tmp_path / "run")[0].keys()


def test_a_run_resumes_with_its_teacher_wherever_that_is(
    drawn_data: Path, small_weights: Path, finished: Path, tmp_path: Path
) -> None:
    teacher, moved = tmp_path / "teacher.pth", tmp_path / "moved.pth"
    shutil.copy(small_weights, teacher)
    run = tmp_path / "run"
    with pytest.raises(CrashAt.CrashError):
        train_briefly(drawn_data, run, teacher=teacher, loggers=[CrashAt(4)])
    teacher.rename(moved)
    with pytest.raises(UsageError, match=r"teacher.pth: the teacher of the run to resume is missing; put it back, or"):
        train_briefly(drawn_data, run, resume_from=run)
    with pytest.raises(UsageError, match=r"gone.pth: the teacher of the run to resume is missing"):
        train_briefly(drawn_data, run, resume_from=run, teacher=tmp_path / "gone.pth")
    other = finished / "models" / "weights.pth"
    shutil.copy(other, teacher)
    for given in ({}, {"teacher": other}):
        with pytest.raises(
            UsageError, match=r"is not the teacher of the run to resume, or was changed since \(SHA-256"
        ):
            train_briefly(drawn_data, run, resume_from=run, **given)
    with pytest.raises(UsageError, match=r"distillation.weight = 3.0, not 2.0"):
        train(resume_from=run, teacher=moved, parameters={"distillation.weight": 2.0})
    train_briefly(drawn_data, run, resume_from=run, teacher=moved)
    assert same_weights(run, finished)


def test_a_run_without_one_gets_none_later(drawn_data: Path, small_weights: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_briefly(drawn_data, run, parameters=ONE_EPOCH)
    assert json.loads((run / "data.json").read_text())["teacher"] is None
    with pytest.raises(UsageError, match=r"^--teacher: the run to resume has none; leave it out"):
        train_briefly(drawn_data, run, resume_from=run, teacher=small_weights)


def test_the_trials_of_a_search_have_it_too(
    drawn_data: Path, small_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(length, "FEWEST_STEPS", 6)
    parameters = {"learning_parameters.num_iters": 4, "learning_parameters.early_stop_patience": 1000}
    search = {"enable_hpo": True, "hpo_time_ratio": 2.0, "hpo_parallel": 2}  # in processes of their own
    run = tmp_path / "run"
    train_briefly(drawn_data, run, teacher=small_weights, parameters=parameters, **search)
    tried = sorted((run / "hpo" / "trials").iterdir())
    assert len(tried) > 1
    for folder in (run, *tried):
        assert all("distillation" in entry for entry in losses_of(folder))


def test_a_teacher_is_not_replaced_by_its_student(drawn_data: Path, finished: Path) -> None:
    teacher = finished / "models" / "weights.pth"
    before = teacher.read_bytes()
    with pytest.raises(UsageError, match=r"^--teacher .*weights.pth: would be replaced by what it teaches; choose"):
        train_briefly(drawn_data, finished, teacher=teacher, overwrite=True)
    assert teacher.read_bytes() == before


def test_other_labels_leave_nothing_behind(drawn_data: Path, tiny_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has other labels than the data: it lacks 'button', .* it has 'red brick', "):
        train_briefly(drawn_data, tmp_path / "run", teacher=tiny_weights)
    assert not (tmp_path / "run" / "template.yaml").exists()
