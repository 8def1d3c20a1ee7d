"""Models that other tools wrote, through every verb that takes a model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino
import pytest
from color_graph import LABELS, color_graph, saved, write_color_data

from otx_seg.runtime.openvino_core import signal_stack_kept

NAMES = ",".join(LABELS.names)


@pytest.fixture(autouse=True)
def _signal_stack() -> Iterator[None]:
    with signal_stack_kept():
        yield


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    return saved(color_graph(), tmp_path / "models" / "foreign.xml")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_color_data(tmp_path / "data")


def calls(data: Path, model: Path) -> dict[str, tuple[object, ...]]:
    """Every verb that takes an exported model."""
    return {
        "predict": ("predict", "-i", data / "images", "--load-weights", model),
        "eval": ("eval", "--test-data-roots", data, "--load-weights", model),
        "demo": ("demo", "-i", data / "images", "--delay", -1, "--load-weights", model),
        "optimize": ("optimize", "--load-weights", model, "--train-data-roots", data, "--val-data-roots", data),
        "deploy": ("deploy", "--load-weights", model),
        "benchmark": ("benchmark", "--load-weights", model, "--seconds", 0.1, "--threads", 1),
    }


VERBS = list(calls(Path(), Path()))


@pytest.mark.parametrize("verb", VERBS)
def test_labels_are_asked_for(otx: Any, data: Path, foreign: Path, verb: str, tmp_path: Path) -> None:
    outcome = otx(*calls(data, foreign)[verb], "-o", tmp_path / "out")
    assert outcome.code == 2, outcome.err
    assert outcome.message.count("Error:") == 1
    assert "foreign.xml: gives probabilities of 3 labels, but their names are neither in it" in outcome.message
    assert "--labels" in outcome.message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", VERBS)
def test_labels_that_cannot_be(otx: Any, data: Path, foreign: Path, verb: str) -> None:
    words = calls(data, foreign)[verb]
    for labels, text in (
        ("a,b", "probabilities of 3 labels, but 2 are named: a, b"),
        ("a,a,b", "'a' is named twice"),
        ("a,,b", "is empty"),
        ("a", "name from 2 to 255"),
    ):
        outcome = otx(*words, "--labels", labels)
        assert outcome.code == 2, outcome.err
        assert text in outcome.message


def test_every_verb_works_with_labels(otx: Any, data: Path, foreign: Path, tmp_path: Path) -> None:
    def done(verb: str, *more: object) -> Path:
        output = tmp_path / verb
        outcome = otx(*calls(data, foreign)[verb], "--labels", NAMES, "-o", output, *more)
        assert outcome.code == 0, outcome.err
        return output

    truth = cv2.imread(str(data / "masks" / "3.png"), cv2.IMREAD_UNCHANGED)
    for verb in ("predict", "demo"):
        np.testing.assert_array_equal(cv2.imread(str(done(verb) / "3.png"), cv2.IMREAD_UNCHANGED), truth)
    scores = json.loads((done("eval") / "performance.json").read_text())
    assert scores["Dice Average"] == 1
    assert set(scores["per_label"]) == set(LABELS.names)
    assert (done("benchmark") / "benchmark.json").is_file()
    # What the other two write carries the labels: no one has to name them again.
    package = done("deploy") / "openvino.zip"
    int8 = done("optimize") / "ptq" / "openvino.xml"
    (int8.parent / "label_schema.json").unlink()
    for model in (package, int8):
        again = otx("eval", "--test-data-roots", data, "--load-weights", model, "--json")
        assert again.code == 0, again.err
        assert json.loads(again.out)["Dice Average"] == 1


def test_explaining_knows_what_is_possible(otx: Any, data: Path, foreign: Path, tmp_path: Path) -> None:
    words = ("explain", "--explain-data-roots", data / "images", "--load-weights", foreign, "--labels", NAMES)
    outcome = otx(*words, "-o", tmp_path / "out")
    assert outcome.code == 2, outcome.err
    assert "is another tool's model, which keeps no features" in outcome.message
    assert outcome.message.endswith(
        "--explain-algorithm probability of `otx explain`, --method uncertainty of `otx suggest`"
    )
    assert "dump" not in outcome.message
    assert not (tmp_path / "out").exists()
    assert otx(*words, "-o", tmp_path / "out", "--explain-algorithm", "probability").code == 0


@pytest.mark.parametrize("verb", VERBS)
def test_models_for_something_else(otx: Any, data: Path, tmp_path: Path, verb: str) -> None:
    opset = openvino.opset13
    image = opset.parameter((1, 3, 16, 16), np.float32)
    whole = opset.reshape(opset.reduce_mean(image, opset.constant([2, 3]), False), opset.constant([1, 3]), False)
    model = saved(openvino.Model([whole], [image], "classifier"), tmp_path / "models" / "classifier.xml")
    outcome = otx(*calls(data, model)[verb], "--labels", NAMES, "-o", tmp_path / "out")
    assert outcome.code == 2, outcome.err
    assert "classifier.xml: gives values for the image as a whole: it looks like a model for class" in outcome.message
    assert "Needed is a model for semantic segmentation" in outcome.message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["train", "export"])
def test_verbs_that_take_weights_only(otx: Any, data: Path, foreign: Path, tmp_path: Path, verb: str) -> None:
    words: tuple[object, ...] = ("--train-data-roots", data) if verb == "train" else ()
    outcome = otx(verb, *words, "--load-weights", foreign, "-o", tmp_path / "out")
    assert outcome.code == 2, outcome.err
    assert "foreign.xml" in outcome.message
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------------- data that does not fit the model


@pytest.mark.parametrize("verb", ["optimize", "eval", "benchmark"])
def test_data_with_other_labels(otx: Any, foreign: Path, tmp_path: Path, verb: str) -> None:
    other = write_color_data(tmp_path / "other", ("background", "grass", "lake"))
    words: tuple[object, ...] = ("--data-roots", other) if verb == "benchmark" else ()
    outcome = otx(*calls(other, foreign)[verb], *words, "--labels", NAMES, "-o", tmp_path / "out")
    assert outcome.code == 2, outcome.err
    assert "the model does not know the label 'lake'; it knows background, grass, sea" in outcome.message
    assert not (tmp_path / "out").exists()


def test_calibration_data_with_other_labels_than_the_validation_data(
    otx: Any, data: Path, foreign: Path, tmp_path: Path
) -> None:
    other = write_color_data(tmp_path / "other", ("background", "grass", "lake"))
    for train, val in ((other, data), (data, other)):
        words = ("--train-data-roots", train, "--val-data-roots", val, "--labels", NAMES, "-o", tmp_path / "out")
        outcome = otx("optimize", "--load-weights", foreign, *words)
        assert outcome.code == 3, outcome.err
        assert "lake" in outcome.message
        assert not (tmp_path / "out").exists()


def test_validation_masks_with_values_that_are_no_labels(otx: Any, data: Path, foreign: Path, tmp_path: Path) -> None:
    val = tmp_path / "val"
    shutil.copytree(data, val)
    cv2.imwrite(str(val / "masks" / "2.png"), np.full((16, 16), 9, np.uint8))
    words = ("--train-data-roots", data, "--val-data-roots", val, "--labels", NAMES, "-o", tmp_path / "out")
    outcome = otx("optimize", "--load-weights", foreign, *words)
    assert outcome.code == 3, outcome.err
    assert "2.png" in outcome.message
    assert not (tmp_path / "out").exists()


def test_a_quantised_model_again(otx: Any, data: Path, foreign: Path, tmp_path: Path) -> None:
    first = otx(*calls(data, foreign)["optimize"], "--labels", NAMES, "-o", tmp_path / "first")
    assert first.code == 0, first.err
    outcome = otx(*calls(data, tmp_path / "first" / "ptq" / "openvino.xml")["optimize"], "-o", tmp_path / "out")
    assert outcome.code == 2, outcome.err
    assert "is quantised already; give the IR that `otx export` wrote" in outcome.message
    assert not (tmp_path / "out").exists()


def test_onnx_in_half_precision(otx: Any, tiny_weights: Path, tmp_path: Path) -> None:
    words = ("--load-weights", tiny_weights, "--export-type", "onnx", "--half-precision", "-o", tmp_path / "out")
    outcome = otx("export", *words)
    assert outcome.code == 2, outcome.err
    assert "half precision is not possible with ONNX: on a CPU, ONNX Runtime would convert" in outcome.message
    assert not (tmp_path / "out").exists()
