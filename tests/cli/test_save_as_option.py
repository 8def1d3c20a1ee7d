"""`--save-as` of `otx predict`, with its tolerance and least confidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_network import small_template

from otx_seg.datasets import Subset
from otx_seg.inference.predict_settings import annotation_formats
from otx_seg.labels import Labels, default_colors
from otx_seg.models.network import SegmentationNetwork
from otx_seg.workspace.weights import write_weights

RANGE = "is above 0 and at most 1"
REFUSED = [
    (["--save-as", "pascal"], "'pascal' is not one of 'coco', 'cvat', 'datumaro', 'label-studio', 'labelme', 'yolo'"),
    (["--save-as", "--min-confidence"], "needs a value: coco, cvat, datumaro, label-studio, labelme or yolo"),
    (["--polygon-tolerance", "2"], "--polygon-tolerance changes nothing without --save-as FORMAT"),
    (["--min-confidence", "0.5"], "--min-confidence changes nothing without --save-as FORMAT"),
    (
        ["--save-as", "label-studio", "--polygon-tolerance", "2"],
        "--polygon-tolerance changes nothing with --save-as label-studio, which holds no polygons",
    ),
    (
        ["--save-as", "coco", "--polygon-tolerance", "-1"],
        "--polygon-tolerance -1: is at least 0 and at most 100 pixels",
    ),
    (["--save-as", "coco", "--polygon-tolerance", "nan"], "--polygon-tolerance nan: is at least 0"),
    (["--save-as", "coco", "--polygon-tolerance", "101"], "at most 100 pixels"),
    (["--save-as", "coco", "--polygon-tolerance", "fine"], "'fine' is not a valid float"),
    (["--save-as", "coco", "--min-confidence", "0"], f"--min-confidence 0: {RANGE}"),
    (["--save-as", "coco", "--min-confidence", "1.1"], f"--min-confidence 1.1: {RANGE}"),
    (["--save-as", "coco", "--min-confidence", "nan"], f"--min-confidence nan: {RANGE}"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_bad_input(otx: Any, tiny_ir: Path, tiny_data: Subset, arguments: list[str], message: str) -> None:
    outcome = otx("predict", "-i", tiny_data.root / "images", "--load-weights", tiny_ir, "-o", "out", *arguments)
    assert outcome.code == 2
    assert message in outcome.message
    assert not Path("out").exists()


def test_every_format_at_once(otx: Any, tiny_weights: Path, tiny_data: Subset) -> None:
    formats = [word for name in annotation_formats() for word in ("--save-as", name)]
    fixed = ["predict", "-i", tiny_data.root / "images", "--load-weights", tiny_weights, "-o", "out", *formats]
    outcome = otx(*fixed, "--polygon-tolerance", "1.5", "--min-confidence", "0.5")
    assert outcome.code == 0, outcome.err
    told = " ".join(outcome.out.split())
    for name in annotation_formats():
        assert f"annotated in out/annotations/{name}, " in told
        checked = otx("check", "--data-roots", f"out/annotations/{name}")
        assert checked.code == 0, checked.message
    assert "left out as uncertain" in told
    first = "correct them in the labelling tool, and export them to a folder; then"
    assert told.endswith(f"Next: {first} train on all that is labelled: otx train --train-data-roots FOLDER")
    again = otx(*fixed)
    assert again.code == 2
    assert "--overwrite" in again.message
    assert otx(*fixed, "--overwrite").code == 0


def test_a_label_that_a_format_cannot_hold(
    otx: Any, tiny_network: SegmentationNetwork, tmp_path: Path, tiny_data: Subset
) -> None:
    weights = tmp_path / "weights.pth"
    labels = Labels(("background", "$wire", "pole/top", "sky blue"), default_colors(4), background=0)
    write_weights(weights, tiny_network.network.state_dict(), labels, small_template(), "random numbers")
    fixed = ["predict", "-i", tiny_data.root / "images" / "0.png", "--load-weights", weights, "-o", "out"]
    outcome = otx(*fixed, "--save-as", "coco", "--save-as", "label-studio")
    assert outcome.code == 2
    assert "--save-as label-studio: cannot hold the labels of the model: '$wire' begins with $" in outcome.message
    assert not list(Path("out").glob("**/*.png"))
    outcome = otx(*fixed, "--save-as", "coco", "--save-as", "yolo", "--save-as", "cvat", "--overwrite")
    assert outcome.code == 0, outcome.err


def test_a_place_that_cannot_be_written(otx: Any, tiny_ir: Path, tiny_data: Subset) -> None:
    Path("out").mkdir()
    Path("out/annotations").write_text("a file of the user's")
    image = tiny_data.root / "images" / "0.png"
    outcome = otx("predict", "-i", image, "--load-weights", tiny_ir, "-o", "out", "--save-as", "coco")
    assert outcome.code == 1
    assert "out/annotations" in outcome.message
    assert "cannot be written" in outcome.message


def test_no_image_can_be_read(otx: Any, tiny_ir: Path) -> None:
    Path("in").mkdir()
    Path("in/a.png").write_text("no image")
    outcome = otx("predict", "-i", "in", "--load-weights", tiny_ir, "-o", "out", "--save-as", "coco")
    assert outcome.code == 3
    assert "none of 1 images could be read" in outcome.message
    assert not Path("out/annotations").exists()


def test_in_a_workspace_what_was_corrected_is_added(otx: Any, tiny_ir: Path, tiny_data: Subset) -> None:
    assert otx("build", "--train-data-roots", tiny_data.root, "--workspace", "w").code == 0
    fixed = ["predict", "-i", tiny_data.root / "images", "--load-weights", tiny_ir, "--workspace", "w", "-o", "out"]
    outcome = otx(*fixed, "--save-as", "coco")
    assert outcome.out.splitlines()[-1].endswith("; then otx build --add-data FOLDER --workspace w")
    assert "Next" not in otx(*fixed, "--overwrite").out
