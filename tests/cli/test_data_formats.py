"""Data of other formats than the ordinary one through the command line, from training to the refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from brief_training import PARAMETERS
from data_layouts import by_datumaro, common_in_the_root, mapillary
from small_network import small_file

from otx_seg.datasets import DataSpec
from otx_seg.training.setup.plan import Request, make_plan

PARAMS = ["params", *(f"--{name}={value}" for name, value in PARAMETERS.items() if "num_iters" not in name)]
PARAMS.append("--learning_parameters.num_iters=1")


def test_train_and_eval_with_files_of_annotations(otx: Any, drawn_as_coco: dict[str, Path], drawn_data: Path) -> None:
    coco = {"images": drawn_data, **drawn_as_coco}
    roots = ["--train-data-roots", coco["images"], "--train-ann-files", coco["train"], "--val-ann-files", coco["val"]]
    trained = otx("train", small_file(), *roots, "-o", "run", *PARAMS)
    assert trained.code == 0, trained.err
    assert "training data: 8 images" in trained.message
    assert f"validation data: 2 images of {coco['images']}, as given" in trained.message
    recorded = DataSpec(
        drawn_data.resolve(), train_annotations=coco["train"].resolve(), val_annotations=coco["val"].resolve()
    )
    assert make_plan(Request(resume_from="run")).data == recorded

    weights = ["--load-weights", "run/models/weights.pth", "--json"]
    as_coco = otx("eval", "--test-data-roots", coco["images"], "--test-ann-files", coco["val"], *weights, "-o", "one")
    as_folders = otx("eval", "--test-data-roots", drawn_data / "val", *weights, "-o", "other")
    scores = [json.loads(outcome.out) for outcome in (as_coco, as_folders)]
    for score in scores:
        score.pop("avg_time_per_image")
    assert scores[0] == scores[1]


@pytest.fixture(scope="module")
def two_formats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("both")
    common_in_the_root(root)
    by_datumaro("coco_instances")(root)
    return root


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["train", "--train-data-roots", "BOTH"], 3, "looks like coco"),
        (
            ["train", "--train-data-roots", "BOTH"],
            3,
            "say which to read with --data-format coco or --data-format common_",
        ),
        (["train", "--train-data-roots", "BOTH", "--data-format", "cocoa"], 2, "'cocoa' is not one of"),
        (["train", "--train-data-roots", "BOTH", "--data-format", "cityscapes"], 3, "no folder leftImg8bit"),
        (["train", "--train-data-roots", "BOTH", "--train-ann-files", "none.json"], 3, "no such annotation file"),
        (
            ["train", "--train-data-roots", "BOTH", "--data-format", "voc", "--train-ann-files", "FILE"],
            2,
            "an annotation file cannot be given for voc",
        ),
        (
            ["train", "--train-data-roots", "BOTH", "--data-format", "coco", "--train-type", "Selfsupervised"],
            2,
            "leave out --data-format",
        ),
        (["eval", "--test-data-roots", "BOTH", "--load-weights", "WEIGHTS"], 3, "say which to read"),
        (["optimize", "--train-data-roots", "BOTH", "--load-weights", "WEIGHTS"], 3, "say which to read"),
        (["benchmark", "--load-weights", "WEIGHTS", "--data-format", "coco"], 2, "give --data-roots too"),
        (["benchmark", "--load-weights", "WEIGHTS", "--data-roots", "BOTH"], 3, "say which to read"),
        (["run", "--train-data-roots", "BOTH", "-o", "out"], 3, "say which to read"),
        (
            ["run", "--train-data-roots", "BOTH", "--train-ann-files", "none.json"],
            3,
            "none.json: no such annot",
        ),
        (["run", "--train-data-roots", "BOTH", "--test-ann-files", "FILE"], 2, "give --test-data-roots too"),
        (["run", "--train-data-roots", "BOTH", "--data-format", "cocoa"], 2, "'cocoa' is not one of"),
        (["build", "--train-data-roots", "BOTH"], 3, "say which to read"),
        (["check", "--data-roots", "BOTH"], 3, "say which to read with --data-format coco or --data-format common_"),
        (["build", "--train-ann-files", "FILE"], 2, "give --train-data-roots too"),
        (["build", "--train-data-roots", "BOTH", "--data-format", "cocoa"], 2, "'cocoa' is not one of"),
        (
            ["check", "--data-roots", "BOTH", "--data-roots", "x", "--val-ann-files", "FILE"],
            2,
            "give --data-roots once",
        ),
        (["convert", "--data-roots", "BOTH", "-o", "out"], 3, "say which to read"),
        (["convert", "--data-roots", "nowhere", "-o", "out"], 3, "nowhere: no such folder"),
        (["convert"], 2, "--data-roots is missing"),
    ],
)
def test_refusals(otx: Any, two_formats: Path, tiny_weights: Path, arguments: list[str], code: int, text: str) -> None:
    places = {
        "BOTH": two_formats,
        "FILE": two_formats / "annotations" / "instances_train.json",
        "WEIGHTS": tiny_weights,
    }
    outcome = otx(*(places.get(word, word) for word in arguments))
    assert outcome.code == code, outcome.err
    assert text in outcome.message
    assert not Path("out").exists()
    left = [path for path in Path().rglob("*") if path.is_file() and path.suffix != ".log"]
    assert left == []


def test_two_formats_in_one_folder(otx: Any, tmp_path: Path) -> None:
    common_in_the_root(tmp_path / "data" / "train")
    mapillary(tmp_path / "data" / "val")
    for verb in (["check", "--data-roots"], ["train", "--train-data-roots"], ["convert", "-o", "out", "--data-roots"]):
        outcome = otx(*verb, tmp_path / "data")
        assert outcome.code == 3, outcome.err
        assert f"{tmp_path / 'data'}: two formats are mixed: " in outcome.message
        assert "val in it like mapillary_vistas; keep one format in a folder, or name the parts one by one" in (
            outcome.message
        )
        assert outcome.out == ""
    assert not list(Path.cwd().iterdir())


def test_convert(otx: Any, two_formats: Path) -> None:
    done = otx("convert", "--data-roots", two_formats, "--data-format", "coco", "-o", "out")
    assert done.code == 0, done.err
    assert "Images: 3 (train 2, val 1)" in done.out
    assert "Labels: background, cat, dog" in done.out
    assert "Next: otx check --data-roots out" in done.out
    again = otx("convert", "--data-roots", two_formats, "--data-format", "coco", "-o", "out")
    assert (again.code, again.out) == (2, "")
    assert "out: is not empty" in again.message


def test_the_formats_are_listed(otx: Any) -> None:
    listed = otx("convert", "--help").out
    assert "JPEGImages/ and SegmentationClass/" in listed
    assert "mapillary_vistas" in listed
