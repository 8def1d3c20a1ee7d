"""The main job on eight tiny images, one command after the other, as a user would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
from brief_training import PARAMETERS
from small_network import small_file

from otx_seg.inference.predictor import load_predictor

PARAMS = ["params", *(f"--{name}={value}" for name, value in PARAMETERS.items())]

QUICK = [*(word for word in PARAMS if "num_iters" not in word), "--learning_parameters.num_iters=1"]


def test_train_eval_export_optimize_eval_predict(otx: Any, drawn_data: Path, tmp_path: Path) -> None:
    train_root, val_root, run = drawn_data / "train", drawn_data / "val", tmp_path / "run"
    trained = otx(
        "train", small_file(), "--train-data-roots", train_root, "--val-data-roots", val_root, "-o", run, *PARAMS
    )
    assert trained.code == 0, trained.err
    assert f"Weights: {run}/models/weights.pth" in trained.out
    assert f"Report: {run}/report.html" in trained.out
    assert (run / "per_image.csv").read_text().count("\n") == 3
    assert "otx export --load-weights" in trained.out
    for text in ("template Lite-HRNet-s-mod2", "washer", "up to 3 epochs", "validation Dice"):
        assert text in trained.message, text

    weights = run / "models" / "weights.pth"
    scores = evaluated(otx, val_root, weights, tmp_path / "eval")
    assert 0 <= scores["Dice Average"] <= 1
    assert scores["avg_time_per_image"] > 0

    exported = otx("export", "--load-weights", weights, "-o", tmp_path / "exported")
    assert exported.code == 0, exported.err
    assert "of the pixels of 2 images" in exported.out
    ir = tmp_path / "exported" / "openvino.xml"
    assert abs(evaluated(otx, val_root, ir, tmp_path / "eval_ir")["Dice Average"] - scores["Dice Average"]) < 0.01

    choices = ["--export-type", "onnx", "--input-size", "96x64", "--dynamic", "batch"]
    onnx = otx("export", "--load-weights", weights, *choices, "-o", tmp_path / "onnx")
    assert onnx.code == 0, onnx.err
    assert load_predictor(tmp_path / "onnx" / "model.onnx").input_size == (96, 64)

    roots = ["--train-data-roots", train_root, "--val-data-roots", val_root]
    optimized = otx("optimize", "--load-weights", ir, *roots, "-o", tmp_path / "int8")
    assert optimized.code == 0, optimized.err
    int8 = tmp_path / "int8" / "ptq" / "openvino.xml"
    report = json.loads((tmp_path / "int8" / "ptq" / "ptq_performance.json").read_text())
    assert "OpenVINO INT8 reaches a Dice" in (tmp_path / "int8" / "report.html").read_text()
    again = otx("report", tmp_path / "int8", "-o", tmp_path / "again.html")
    assert again.out == f"Report: {tmp_path}/again.html\n"
    assert (tmp_path / "again.html").read_text() == (tmp_path / "int8" / "report.html").read_text()
    assert report["before"]["Dice Average"] - report["Dice Average"] == report["dice_loss"]
    evaluated(otx, val_root, int8, tmp_path / "eval_int8")
    again = otx("optimize", "--load-weights", int8, *roots, "-o", tmp_path / "int4")
    assert again.code == 2
    assert "quantised already" in again.message

    predicted = otx("predict", "--input", val_root / "images", "--load-weights", int8, "-o", tmp_path / "masks")
    assert predicted.code == 0, predicted.err
    assert "2 masks written" in predicted.out
    mask = cv2.imread(str(tmp_path / "masks" / "0004.png"), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (64, 64)
    assert mask.max() < 6

    deployed = otx("deploy", "--load-weights", int8, "-o", tmp_path / "package")
    assert deployed.code == 0, deployed.err
    package = tmp_path / "package" / "openvino.zip"
    assert f"otx demo --input PATH --load-weights {package}" in deployed.out
    assert otx("deploy", "--load-weights", int8, "-o", tmp_path / "package").code == 2
    in_package = evaluated(otx, val_root, package, tmp_path / "eval_package")
    assert in_package["per_label"] == json.loads((tmp_path / "eval_int8" / "performance.json").read_text())["per_label"]
    for kind, model in (("pth", weights), ("onnx", tmp_path / "onnx" / "model.onnx"), ("zip", package)):
        shown = otx(
            "demo", "-i", val_root / "images", "--load-weights", model, "--delay", -1, "-o", tmp_path / "demo" / kind
        )
        assert shown.code == 0, shown.err
        assert "Frames: 2, " in shown.out
    assert (cv2.imread(str(tmp_path / "demo" / "zip" / "0004.png"), cv2.IMREAD_UNCHANGED) == mask).all()


def evaluated(otx: Any, data: Path, weights: Path, output: Path) -> dict[str, Any]:
    """What `otx eval` writes into `performance.json`."""
    outcome = otx("eval", "--test-data-roots", data, "--load-weights", weights, "-o", output)
    assert outcome.code == 0, outcome.err
    assert "mean over labels" in outcome.out
    assert "lowest Dice of single images: " in outcome.out
    assert f"Report: {output}/report.html" in outcome.out
    assert "reaches a Dice" in (output / "report.html").read_text()
    scores: dict[str, Any] = json.loads((output / "performance.json").read_text())
    assert {"Dice Average", "mDice", "mIoU", "aAcc", "per_label", "avg_time_per_image"} <= scores.keys()
    return scores


def test_in_a_workspace_the_last_weights_are_found(otx: Any, drawn_data: Path) -> None:
    root = drawn_data / "val"
    assert "--load-weights is missing" in otx("eval", "--test-data-roots", root).message
    trained = otx("train", small_file(), "--train-data-roots", drawn_data, *QUICK)
    assert trained.code == 0, trained.err
    assert "validation data: 2 images of the subset val" in trained.message
    assert otx("eval", "--test-data-roots", root).code == 0


def test_resuming_and_continuing_on_other_labels(otx: Any, drawn_data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert otx("train", small_file(), "--train-data-roots", drawn_data, "-o", run, *QUICK).code == 0
    resumed = otx("train", "--resume-from", run)
    assert resumed.code == 0, resumed.err
    repeated = otx("train", small_file(), "--train-data-roots", drawn_data, "-o", run, *QUICK)
    assert repeated.code == 2
    assert "--overwrite" in repeated.message
    other = otx("train", "--resume-from", run, "params", "--learning_parameters.batch_size=5")
    assert other.code == 2
    assert "batch_size = 3, not 5" in other.message
    warm = ["--load-weights", run / "models" / "weights.pth", "-o", tmp_path / "warm", *QUICK]
    continued = otx("train", small_file(), "--train-data-roots", drawn_data, *warm)
    assert continued.code == 0, continued.err
    assert "labels matched: background, button" in continued.message


def test_weights_are_quantised_and_used(otx: Any, small_weights: Path, drawn_data: Path, tmp_path: Path) -> None:
    roots = ["--train-data-roots", drawn_data / "train", "--val-data-roots", drawn_data / "val"]
    brief = ["--learning_parameters.num_workers=0", "--pot_parameters.stat_subset_size=2"]
    run = tmp_path / "run"
    optimized = otx("optimize", "--load-weights", small_weights, *roots, "-o", run, "params", *brief)
    assert optimized.code == 0, optimized.err
    assert "INT8" in optimized.out
    assert f"Weights: {run}/nncf/weights.pth" in optimized.out
    for name in ("weights.pth", "openvino.xml"):
        model = run / "nncf" / name
        evaluated(otx, drawn_data / "val", model, tmp_path / f"eval {name}")
        predicted = otx("predict", "--input", drawn_data / "val", "--load-weights", model, "-o", tmp_path / name[0])
        assert predicted.code == 0, predicted.err
    exported = otx("export", "--load-weights", run / "nncf" / "weights.pth", "-o", tmp_path / "exported")
    assert exported.code == 0, exported.err
    assert "Next: otx deploy" in exported.out
    deployed = otx("deploy", "--load-weights", run / "nncf" / "openvino.xml", "-o", tmp_path / "package")
    assert deployed.code == 0, deployed.err
