"""Cross-validation: every image once, one configuration, and going on wherever it stopped."""

from __future__ import annotations

import csv
import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest
import yaml
from brief_training import PARAMETERS, At, same_weights
from PIL import Image
from small_network import small_file

from otx_seg.datasets import DataSpec, Fold, open_training
from otx_seg.errors import DataError, OtxError, UsageError
from otx_seg.inputs.last_training import training_of
from otx_seg.inputs.resolver import open_resolver
from otx_seg.report.cross_validation import CrossValidation
from otx_seg.training.finished_fold import read_finished
from otx_seg.training.recorded_data import read_recorded
from otx_seg.training.setup.plan import Request
from otx_seg.training.stopping import InterruptedRunError
from otx_seg.verbs.cross_validate import cross_validate
from otx_seg.verbs.evaluate import evaluate
from otx_seg.verbs.optimize import _filled, _split_before
from otx_seg.verbs.train import train
from otx_seg.workspace.run_folder import RunFolder

BRIEF = {**PARAMETERS, "learning_parameters.num_iters": 2, "learning_parameters.learning_rate": 0.01}
IMAGES = [f"{number:04d}.jpg" for number in (0, 1, 2, 3, 5, 6, 7, 8)]  # of drawn_data/train


def validate_briefly(data: Path, output: Path, **arguments: Any) -> CrossValidation:
    parameters = {**BRIEF, **arguments.pop("parameters", {})}
    arguments = {"template": small_file(), "folds": 3, "parameters": parameters, **arguments}
    return cross_validate(data / "train", output=output, **arguments)


@pytest.fixture(scope="module")
def finished(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> CrossValidation:
    """Three folds of the eight images, trained without interruption."""
    return validate_briefly(drawn_data, tmp_path_factory.mktemp("runs") / "finished")


def json_of(path: Path) -> Any:
    return json.loads(path.read_text())


def test_each_image_is_validated_once_by_a_network_that_was_not_trained_on_it(finished: CrossValidation) -> None:
    recorded = [read_recorded(RunFolder(finished.folder / f"fold-{number}")) for number in (1, 2, 3)]
    assert sorted(name for one in recorded for name in one.val) == IMAGES
    assert sorted(len(one.val) for one in recorded) == [2, 3, 3]
    for one in recorded:
        assert not set(one.train) & set(one.val)
        assert len(one.train) + len(one.val) == 8
    assert [one.fold for one in recorded] == [Fold(number, 3) for number in (1, 2, 3)]
    assert "fold 2 of 3, divided by label and seed 42" in recorded[1].split


def test_what_is_written(finished: CrossValidation) -> None:
    """The scores are those that `otx eval` finds for the network of each fold."""
    folder = finished.folder
    evaluations = [evaluate(load_weights=file, output=folder / f"eval{n}") for n, file in enumerate(finished.weights)]
    written = json_of(folder / "cross_validation.json")
    dice = [found.scores.dice_average for found in evaluations]
    spread = written["averages"]["Dice Average"]
    assert spread["mean"] == pytest.approx(fmean(dice), abs=1e-6)
    assert spread["standard_deviation"] == pytest.approx(stdev(dice), abs=1e-6)
    assert [one["Dice Average"] for one in written["per_fold"]] == pytest.approx(dice, abs=1e-6)
    matrices = [found.counted.pixels.confusion for found in evaluations if found.counted is not None]
    together = json_of(folder / "performance.json")
    names = finished.counted.labels.names
    counted = np.array([[together["confusion"][a].get(b, 0) for b in names] for a in names])
    assert np.array_equal(counted, sum(matrix.numpy() for matrix in matrices))
    assert counted.sum() == 8 * 64 * 64
    with (folder / "per_image.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["file"] for row in rows) == IMAGES
    for row in rows:
        assert row["file"] in read_recorded(RunFolder(folder / f"fold-{row['fold']}")).val
    with Image.open(folder / "confusion.png") as picture:
        assert min(picture.size) >= 400


def test_all_folds_are_trained_in_the_same_way(finished: CrossValidation) -> None:
    resolved = [(finished.folder / f"fold-{number}" / "template.yaml").read_text() for number in (1, 2, 3)]
    assert resolved[0] == resolved[1] == resolved[2]
    decided = [json_of(finished.folder / f"fold-{number}" / "auto_configuration.json") for number in (1, 2, 3)]
    without = [[one for one in found if one["parameter"] != "validation"] for found in decided]
    assert without[0] == without[1] == without[2]
    own = [next(one["reason"] for one in found if one["parameter"] == "validation") for found in decided]
    assert [f"fold {number} of 3" in reason for number, reason in enumerate(own, 1)] == [True] * 3


@pytest.mark.parametrize("by_folder", [False, True])
def test_finished_folds_are_not_trained_again(drawn_data: Path, finished: CrossValidation, by_folder: bool) -> None:
    before = [file.stat().st_mtime_ns for file in finished.weights]
    again = cross_validate(resume_from=finished.folder) if by_folder else validate_briefly(drawn_data, finished.folder)
    assert [file.stat().st_mtime_ns for file in again.weights] == before
    assert again.over_folds == finished.over_folds
    assert not again.missing


def interrupted(run: Path, number: int) -> Any:
    """Ask for an end at the second step of a fold."""

    def interrupt() -> None:
        if (run / f"fold-{number}" / "template.yaml").exists():
            os.kill(os.getpid(), signal.SIGINT)

    return At(2, interrupt)


def test_an_interrupted_one_goes_on_as_if_nothing_had_happened(
    drawn_data: Path, finished: CrossValidation, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with pytest.raises(InterruptedRunError, match=r"fold 2 of 3: .*everything is saved. Continue with: (.*)") as ended:
        validate_briefly(drawn_data, run, loggers=[interrupted(run, 2)])
    assert str(ended.value).endswith(f"Continue with: otx train --resume-from {run}")
    before = (run / "fold-1" / "models" / "weights.pth").stat().st_mtime_ns
    assert not (run / "cross_validation.json").exists()
    result = cross_validate(resume_from=run)
    assert (run / "fold-1" / "models" / "weights.pth").stat().st_mtime_ns == before
    for number in (1, 2, 3):
        assert same_weights(run / f"fold-{number}", finished.folder / f"fold-{number}")
    assert result.over_folds == finished.over_folds


def test_folds_of_several_machines(drawn_data: Path, finished: CrossValidation, tmp_path: Path) -> None:
    """One that begins with its last fold decides as one that begins with the first; another goes on with the rest."""
    run = tmp_path / "run"
    first = validate_briefly(drawn_data, run, fold=3)
    assert first.missing == (1, 2)
    assert not (run / "performance.json").exists()
    for name in ("template.yaml", "models/label_schema.json"):
        assert (run / "fold-3" / name).read_text() == (finished.folder / "fold-3" / name).read_text()
    with pytest.raises(InterruptedRunError, match=r"--fold 2$"):
        validate_briefly(drawn_data, run, fold=2, loggers=[interrupted(run, 2)])
    result = cross_validate(resume_from=run)
    assert not result.missing
    assert all(same_weights(run / f"fold-{number}", finished.folder / f"fold-{number}") for number in (1, 2, 3))


def test_a_fold_can_be_resumed_by_itself(finished: CrossValidation) -> None:
    result = train(resume_from=finished.folder / "fold-2")
    assert result.scores == finished.finished[1].scores


def test_its_validation_images_are_found_again(drawn_data: Path, finished: CrossValidation) -> None:
    """For `otx optimize`, which compares on images that the network has not seen."""
    for found in finished.finished:
        before = _split_before(None, DataSpec(drawn_data / "train"), found.run.weights)  # type: ignore[arg-type]
        assert before is not None
        assert before == training_of(found.run.weights)
        data = open_training(DataSpec(drawn_data / "train"), before.seed, fold=before.fold)
        assert data.val is not None
        assert tuple(sample.name for sample in data.val.samples) == found.counted.files


def test_networks_of_several_folds_have_no_images_of_their_own(finished: CrossValidation, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--test-data-roots is missing: .*none of them has seen"):
        evaluate(load_weights=list(finished.weights), output=tmp_path)


def test_a_subset_for_validation_is_left_out(drawn_data: Path, tmp_path: Path) -> None:
    result = cross_validate(drawn_data, folds=2, fold=1, template=small_file(), parameters=BRIEF, output=tmp_path)
    recorded = read_recorded(result.finished[0].run)
    assert len(recorded.train) + len(recorded.val) == 8  # of train alone
    assert recorded.split.endswith(f"the subset val in {drawn_data} is not used")


def test_overwrite_trains_again(drawn_data: Path, tmp_path: Path) -> None:
    for rate in (0.01, 0.001):
        parameters = {"learning_parameters.learning_rate": rate}
        validate_briefly(drawn_data, tmp_path, fold=1, folds=2, parameters=parameters, overwrite=True)
        assert yaml.safe_load((tmp_path / "fold-1" / "template.yaml").read_text())
        assert f"learning_rate: {rate}" in (tmp_path / "fold-1" / "template.yaml").read_text()


def test_a_failure_says_what_it_is(drawn_data: Path, tmp_path: Path) -> None:
    """As in a single training; the folder goes on once it is corrected."""
    with pytest.raises(DataError, match=r"no such"):
        cross_validate(tmp_path / "missing", folds=2, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_damaged_fold(drawn_data: Path, finished: CrossValidation, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "fold-1")
    validate_briefly(drawn_data, tmp_path, fold=1)
    plain = json_of(run.data)
    run.data.write_text(json.dumps({**plain, "fold": {"number": 4, "of": 3}}))
    with pytest.raises(UsageError, match=r"data.json: is damaged \(fold is 4 of 3\)"):
        cross_validate(resume_from=tmp_path)
    run.data.write_text(json.dumps({**plain, "val": plain["val"][1:]}))
    with pytest.raises(OtxError, match=r"does not hold the scores of the images of a fold"):
        read_finished(run)


def test_folds_share_teacher_and_label_map(drawn_data: Path, finished: CrossValidation, tmp_path: Path) -> None:
    """What the first fold began with is what the others are trained with, and nothing else."""
    names = finished.counted.labels.names
    lines = tmp_path / "map.yaml"
    lines.write_text("".join(f"{name}: {name}\n" for name in names))
    teacher = finished.weights[0]
    whole = tmp_path / "whole"
    asked: dict[str, Any] = {"teacher": teacher, "label_map": lines}
    validate_briefly(drawn_data, whole, fold=1, **asked)
    for changed, says in (
        ({"teacher": None}, r"fold-1: was trained otherwise \(--teacher: SHA-256 .* there, None here\)"),
        ({"teacher": finished.weights[1]}, r"fold-1: was trained otherwise \(--teacher: SHA-256"),
        ({"label_map": None}, r"fold-1: was trained otherwise \(--label-map: .*map.yaml there, None here\)"),
    ):
        with pytest.raises(UsageError, match=says):
            validate_briefly(drawn_data, whole, **{**asked, **changed})
    found = cross_validate(resume_from=whole)
    assert not found.missing
    for one in found.finished:
        recorded = read_recorded(one.run)
        assert recorded.teacher is not None
        assert recorded.teacher.path == teacher
        assert recorded.data.label_map is not None


def test_which_fold_an_exported_model_is_of_is_not_guessed(finished: CrossValidation, tmp_path: Path) -> None:
    data = DataSpec(read_recorded(RunFolder(finished.folder / "fold-1")).data.train_root)
    resolver = open_resolver(None)
    request = Request(data, load_weights=finished.weights[0], seed=42)
    assert _filled(resolver, request).fold == Fold(1, 3)
    assert _filled(resolver, replace(request, seed=7)).fold is None
