"""`--scales` of `otx eval`, `otx predict` and `otx export`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import NAMES, make_lively
from refusals import refused
from small_network import at_several_scales

from otx_seg.inference.predictor import load_predictor
from otx_seg.labels import Labels, default_colors
from otx_seg.models import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.template import from_dict
from otx_seg.workspace.weights import write_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`weights.pth` of `at_several_scales`."""
    torch.manual_seed(0)
    chosen = at_several_scales()
    network = build_model(chosen, len(NAMES))
    make_lively(SegmentationNetwork(network))
    path = tmp_path_factory.mktemp("trained") / "weights.pth"
    write_weights(path, network.state_dict(), Labels(NAMES, default_colors(len(NAMES)), 0), chosen, "random numbers")
    return path


def test_an_evaluation_and_predictions(weights: Path, tiny_data: Any, otx: Any, tmp_path: Path) -> None:
    found = {}
    for name, words in {"own": (), "two": ("--scales", "0.5,1"), "three": ("--scales", "0.5,1,2")}.items():
        common = ("--load-weights", weights, *words, "--output")
        otx("eval", "--test-data-roots", tiny_data.root, *common, tmp_path / name)
        found[name] = json.loads((tmp_path / name / "performance.json").read_text())
        otx("predict", "--input", tiny_data.root, *common, tmp_path / f"{name} masks")
    scores = {name: told["Dice Average"] for name, told in found.items()}
    assert scores["own"] == scores["two"] != scores["three"]
    assert found["three"]["scales"] == [0.5, 1.0, 2.0]
    assert "scales" not in found["own"]
    masks = {
        name: [path.read_bytes() for path in sorted((tmp_path / f"{name} masks").rglob("*.png"))] for name in found
    }
    assert masks["own"] == masks["two"] != masks["three"]


@pytest.mark.parametrize("kind", ["openvino", "onnx"])
def test_an_exported_model_has_its_scales(kind: str, weights: Path, otx: Any, tmp_path: Path) -> None:
    words = ("--load-weights", weights, "--scales", "0.5,1,2", "--export-type", kind, "--output", tmp_path / "exported")
    otx("export", *words)
    model = next(path for path in (tmp_path / "exported").iterdir() if path.suffix in (".xml", ".onnx"))
    exported = load_predictor(model)
    assert exported.template is not None
    assert from_dict(exported.template, "here").model["test_scales"] == [0.5, 1.0, 2.0]
    image = np.random.default_rng(0).integers(0, 256, (1, 3, 64, 64), np.uint8)
    whole = load_predictor(weights, scales=[0.5, 1, 2]).probabilities(image)
    np.testing.assert_allclose(exported.probabilities(image), whole, atol=1e-4)
    assert abs(load_predictor(weights).probabilities(image) - whole).max() > 1e-3
    words = ("--load-weights", model, "--scales", "1", "--input", tmp_path, "--output", tmp_path / "masks")
    refused(otx("predict", *words), "its scales stand in its graph", "otx export --scales")


def test_scales_that_cannot_be(tiny_weights: Path, weights: Path, otx: Any, tmp_path: Path) -> None:
    common = ("export", "--output", tmp_path / "exported", "--load-weights")
    refused(otx(*common, tiny_weights, "--scales", "1,2"), "its network looks at an image at one scale")
    refused(otx(*common, weights, "--scales", "1,1"), "give different numbers, such as 0.5,1,2")
    assert not (tmp_path / "exported").exists()
