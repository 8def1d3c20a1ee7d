"""`--mask-values` of `otx predict`."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from brief_training import train_briefly

from otx_seg.datasets import Subset
from otx_seg.datasets.synthetic.draw import NAMES as DRAWN
from otx_seg.deployment.deploy import deploy
from otx_seg.deployment.export import export
from otx_seg.workspace.weights import read_weights, write_weights

VALUES = (7, 300, 11, 26)


@pytest.fixture(scope="module")
def models(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("with_values")
    found = read_weights(tiny_weights)
    assert found.template is not None
    labels = replace(found.labels, mask_values=VALUES)
    write_weights(folder / "weights.pth", found.state_dict, labels, found.template, "random numbers")
    exported = export(folder / "weights.pth", folder / "ir").model
    return {
        "pth": folder / "weights.pth",
        "xml": exported,
        "onnx": export(folder / "weights.pth", folder / "onnx", "onnx").model,
        "zip": deploy(exported, folder / "package").package,
    }


@pytest.mark.parametrize("kind", ["pth", "xml", "onnx", "zip"])
def test_every_kind_of_model_knows_the_values(otx: Any, models: dict[str, Path], tiny_data: Subset, kind: str) -> None:
    fixed = ["predict", "-i", tiny_data.root / "images" / "0.png", "--load-weights", models[kind]]
    for choice in ("index", "color", "original"):
        assert otx(*fixed, "-o", choice, "--mask-values", choice).code == 0
    index, original = (cv2.imread(f"{name}/0.png", cv2.IMREAD_UNCHANGED) for name in ("index", "original"))
    assert (index.dtype, original.dtype) == (np.uint8, np.uint16)
    np.testing.assert_array_equal(original, np.array(VALUES)[index])
    drawn = cv2.imread("color/0.png", cv2.IMREAD_UNCHANGED)[:, :, ::-1]
    np.testing.assert_array_equal(drawn, np.array(read_weights(models["pth"]).labels.shown_colors)[index])


def test_a_model_that_does_not_know(otx: Any, tiny_ir: Path, tiny_data: Subset) -> None:
    outcome = otx(
        "predict", "-i", tiny_data.root / "images", "--load-weights", tiny_ir, "-o", "out", "--mask-values", "original"
    )
    assert outcome.code == 2
    assert "--mask-values original: the model does not tell" in outcome.message
    assert "Choose --mask-values index" in outcome.message
    assert not list(Path("out").glob("**/*.png"))
    assert "'rgb' is not one of" in otx("predict", "-i", tiny_data.root, "--mask-values", "rgb").message


def test_a_training_writes_them(drawn_data: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn_data, tmp_path / "data")
    for path in (tmp_path / "data").glob("*/masks/*.png"):
        cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED) * 20)
    for meta in (tmp_path / "data").glob("**/dataset_meta.json"):
        meta.unlink()
    lines = [f"{20 * index}: {name}" for index, name in enumerate(DRAWN)]
    for part in ("train", "val"):
        (tmp_path / "data" / part / "labels.txt").write_text("\n".join(lines))
    run = train_briefly(tmp_path / "data", tmp_path / "run")
    assert read_weights(run.weights).labels.mask_values == (0, 20, 40, 60, 80, 100)
    schema = json.loads((run.weights.parent / "label_schema.json").read_text())
    assert schema["mask_values"] == [0, 20, 40, 60, 80, 100]
