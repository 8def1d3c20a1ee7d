"""`--label-map` on the command line: what is shown, what is refused with which exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from brief_training import PARAMETERS
from small_network import small_file

LINES = "background: background\nbutton: disc\nplate: disc\nwedge: ignore\ngear: gear\nwasher: ignore\n"
VERBS = ("train", "check", "eval", "optimize", "convert", "run", "build", "benchmark")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_that_reads_labels_has_it(otx: Any, verb: str) -> None:
    shown = " ".join(otx(verb, "--help").out.split())
    assert "--label-map FILE" in shown
    assert "one of ade20k-32, cityscapes-19, cityscapes-7, coco-voc21." in shown.replace("- ", "-")


def test_a_check_says_that_the_labels_are_changed(otx: Any, drawn_data: Path) -> None:
    Path("map.yaml").write_text(LINES)
    shown = otx("check", "--data-roots", drawn_data, "--label-map", "map.yaml")
    assert shown.code == 0, shown.err
    assert "The labels are those after the label map map.yaml." in shown.out
    assert [word in shown.out for word in ("disc", "gear", "button", "washer")] == [True, True, False, False]
    assert shown.out.splitlines()[-1].endswith("--label-map map.yaml")
    found = json.loads(otx("check", "--data-roots", drawn_data, "--label-map", "map.yaml", "--json").out)
    assert found["label_map"] == "map.yaml"


def test_a_training_and_its_evaluation(otx: Any, drawn_data: Path) -> None:
    Path("map.yaml").write_text(LINES)
    roots = ["--train-data-roots", drawn_data / "train", "--val-data-roots", drawn_data / "val"]
    params = ["params", *(f"--{name}={value}" for name, value in PARAMETERS.items())]
    trained = otx("train", small_file(), *roots, "--label-map", "map.yaml", "--output", "run", *params)
    assert trained.code == 0, trained.err
    assert f"{drawn_data / 'train'}: read through the label map map.yaml" in trained.message
    model = ("--load-weights", "run/models/weights.pth")
    plain = otx("eval", "--test-data-roots", drawn_data, *model)
    assert plain.code == 2
    assert "was trained through a label map: give --label-map" in plain.message
    mapped = otx("eval", "--test-data-roots", drawn_data, *model, "--label-map", "run/label_map.yaml", "--json")
    assert mapped.code == 0, mapped.err
    assert set(json.loads(mapped.out)["per_label"]) <= {"background", "disc", "gear"}


@pytest.mark.parametrize(
    ("lines", "code", "message"),
    [
        ("", 2, "map.yaml: a label map ('old label: new label' or 'old label: ignore') is a mapping of keys to values"),
        ("a: b\na: c\n", 2, "map.yaml: is not valid YAML (the key a occurs twice, line 2)"),
        (
            LINES.replace("gear: gear", "gear: [gear]"),
            2,
            "is no label; each line is 'old label: new label' or 'old lab",
        ),
        (LINES.replace("gear: gear", "gear: IGNORE"), 2, "no label can be called 'IGNORE': write ignore to ignore"),
        (LINES.replace("gear: gear\n", ""), 3, "the label map does not fit the labels of"),
        (LINES + "wheel: gear\n", 3, "it names 'wheel', which the data lacks"),
    ],
)
@pytest.mark.parametrize("verb", ["train", "convert"])
def test_bad_maps(otx: Any, drawn_data: Path, lines: str, code: int, message: str, verb: str) -> None:
    Path("map.yaml").write_text(lines)
    root = "--data-roots" if verb == "convert" else "--train-data-roots"
    shown = otx(verb, root, drawn_data, "--label-map", "map.yaml", "--output", "out")
    assert shown.code == code
    assert message in shown.message.replace('"', "'")
    assert len(shown.message) < 500


def test_a_map_that_is_not_there(otx: Any, drawn_data: Path) -> None:
    shown = otx("convert", "--data-roots", drawn_data, "--label-map", "cityscapes-8", "--output", "out")
    assert shown.code == 2
    assert (
        "--label-map cityscapes-8: no such file, and no label map that comes with otx has this name (did you mean"
        in shown.message
    )


def test_images_alone_have_no_labels(otx: Any, drawn_data: Path) -> None:
    Path("map.yaml").write_text(LINES)
    shown = otx("train", "--train-data-roots", drawn_data / "train" / "images", "--label-map", "map.yaml")
    assert shown.code == 2
    assert "leave out --data-format, --label-map and --train-ann-files" in shown.message
