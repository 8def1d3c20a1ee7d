"""A calibrated network in all forms: their probabilities are the softmax of logits divided by the temperature."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from small_network import at_several_scales, small_template, with_further_outputs

from otx_seg.deployment.agreement import drawn_images
from otx_seg.deployment.calibration import Recipe
from otx_seg.deployment.deploy import deploy
from otx_seg.deployment.export import export
from otx_seg.deployment.exported_form import exported_form
from otx_seg.deployment.folded_temperature import fold_temperature
from otx_seg.deployment.quantize import quantize
from otx_seg.errors import UsageError
from otx_seg.inference.model import Model
from otx_seg.inference.predictor import load_predictor
from otx_seg.models.build import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.runtime.augmented_views import AugmentedViews
from otx_seg.runtime.crops import network_input
from otx_seg.runtime.masks import PostProcessing
from otx_seg.runtime.openvino_predictor import OpenVinoPredictor
from otx_seg.runtime.pipeline import in_turn, side_by_side
from otx_seg.runtime.predict_mask import SlidingWindow, predict_mask
from otx_seg.runtime.streams import open_stream
from otx_seg.training.starting_weights import load_starting_weights
from otx_seg.workspace.weights import read_weights, write_weights

TEMPERATURE = 2.5
IMAGE = drawn_images((90, 150))[1]
INPUT = network_input(IMAGE, (64, 64))
WAYS: list[dict[str, Any]] = [{}, {"window": SlidingWindow(64, 64)}, {"views": AugmentedViews(flip=True)}]


def tempered(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """What `TEMPERATURE` makes of probabilities (B, K, h, w)."""
    powers = probabilities ** (1 / TEMPERATURE)
    return powers / powers.sum(axis=1, keepdims=True)


def with_temperature(weights: Path, to: Path, temperature: float) -> Path:
    found = read_weights(weights)
    assert found.template is not None
    write_weights(to, found.state_dict, found.labels, found.template, found.origin, temperature)
    return to


@pytest.fixture(scope="module")
def calibrated(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_temperature(tiny_weights, tmp_path_factory.mktemp("calibrated") / "weights.pth", TEMPERATURE)


@pytest.fixture(scope="module")
def calibrated_ir(calibrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(calibrated, tmp_path_factory.mktemp("calibrated_ir")).model


@pytest.fixture(scope="module", params=["torch", "openvino", "onnx", "zip", "with features"])
def model(
    request: pytest.FixtureRequest, calibrated: Path, calibrated_ir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    makers: dict[str, Callable[[Path], Path]] = {
        "torch": lambda to: calibrated,
        "openvino": lambda to: calibrated_ir,
        "onnx": lambda to: export(calibrated, to, "onnx").model,
        "zip": lambda to: deploy(calibrated_ir, to).package,
        "with features": lambda to: export(calibrated, to, dump_features=True).model,
    }
    return makers[request.param](tmp_path_factory.mktemp("made"))


def test_every_form_gives_calibrated_probabilities(model: Path, calibrated: Path, tiny_weights: Path) -> None:
    found, network, plain = (load_predictor(path, device="cpu") for path in (model, calibrated, tiny_weights))
    assert_allclose(found.probabilities(INPUT), tempered(plain.probabilities(INPUT)), atol=1e-4)
    threshold = float(np.median(network.probabilities(INPUT).max(axis=1)))  # that of half of the pixels is lower
    for settings in (PostProcessing(0.0, 1), PostProcessing(threshold, 1), PostProcessing(0.0, 3)):
        found.post_processing = network.post_processing = settings  # type: ignore[misc]
        for way in WAYS:
            masks = [predict_mask(predictor, IMAGE, **way) for predictor in (found, network)]
            assert len(np.unique(masks[1])) > 1
            assert (masks[0] == masks[1]).mean() >= (1 if model.suffix == ".pth" else 0.999)


def test_nothing_is_added_to_the_graph(calibrated_ir: Path, tiny_ir: Path) -> None:
    kinds = [
        sorted(node.get_type_name() for node in openvino.Core().read_model(path).get_ops())
        for path in (calibrated_ir, tiny_ir)
    ]
    assert kinds[0] == kinds[1]


def test_confidences_are_calibrated(model: Path, tiny_weights: Path) -> None:
    small = drawn_images((64, 64))[1]
    found, plain = Model.load(model).predict(small), Model.load(tiny_weights).predict(small)
    expected = tempered(load_predictor(tiny_weights, device="cpu").probabilities(network_input(small, (64, 64))))
    assert_allclose(found.confidence, expected[0].max(axis=0), atol=1e-4)
    assert_array_equal(found.mask, plain.mask)


def binary(threshold: float) -> SegmentationNetwork:
    template = small_template().override(
        {"learning_parameters.binary": True, "learning_parameters.binary_threshold": threshold}
    )
    return SegmentationNetwork(build_model(template, 2))


NETWORKS: dict[str, Callable[[], SegmentationNetwork]] = {
    "several labels": lambda: SegmentationNetwork(build_model(small_template(), 4)),
    "one channel": lambda: binary(0.5),
    "one channel, moved": lambda: binary(0.2),
    "cascade": lambda: SegmentationNetwork(build_model(with_further_outputs(), 2)),
    "several scales": lambda: SegmentationNetwork(build_model(at_several_scales(), 2)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_last_convolution_takes_it(name: str) -> None:
    torch.manual_seed(0)
    network = exported_form(NETWORKS[name]().eval())
    image = torch.from_numpy(INPUT)
    with torch.no_grad():
        before = network(image)
        assert fold_temperature(network, TEMPERATURE, (64, 64))
        assert_allclose(network(image).numpy(), before.numpy() / TEMPERATURE, atol=1e-5)


def test_a_network_that_is_not_linear_there_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, calibrated: Path, tmp_path: Path
) -> None:
    straight = SegmentationNetwork.forward
    monkeypatch.setattr(SegmentationNetwork, "forward", lambda self, images: 3 * torch.tanh(straight(self, images)))
    predictor = load_predictor(calibrated, device="cpu")
    network = exported_form(predictor.network)  # type: ignore[attr-defined]
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert not fold_temperature(network, TEMPERATURE, (64, 64))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    for features in (False, True):  # a division takes its place
        ir = OpenVinoPredictor(export(calibrated, tmp_path / str(features), dump_features=features).model)
        assert_allclose(ir.probabilities(INPUT), predictor.probabilities(INPUT), atol=1e-4)


def test_other_forms(calibrated: Path, tiny_weights: Path, tmp_path: Path) -> None:
    half = export(calibrated, tmp_path / "half", half_precision=True)
    assert half.agreement > 0.99
    expected = tempered(load_predictor(tiny_weights, device="cpu").probabilities(INPUT))
    assert_allclose(load_predictor(half.model).probabilities(INPUT), expected, atol=0.02)
    masks = load_predictor(export(calibrated, tmp_path / "masks", argmax=True).model)
    assert_array_equal(masks.masks(INPUT), load_predictor(tiny_weights, device="cpu").masks(INPUT))
    any_size = export(calibrated, tmp_path / "any", dynamic="both")
    assert any_size.agreement > 0.999


def test_quantisation_keeps_it(calibrated_ir: Path, tiny_weights: Path, tiny_data: Any, tmp_path: Path) -> None:
    recipe = Recipe("Mixed", 4, (), (), 1e-4, max_loss=1.0, control_seconds=0)
    result = quantize(calibrated_ir, tiny_data, tiny_data, tmp_path / "ptq", recipe, seed=0)
    found = OpenVinoPredictor(result.model).probabilities(INPUT)
    plain = load_predictor(tiny_weights, device="cpu").probabilities(INPUT)
    assert np.abs(found - tempered(plain)).mean() < np.abs(found - plain).mean() / 3


def test_a_demo_refuses(calibrated_ir: Path, tiny_data: Any) -> None:
    predictor = OpenVinoPredictor(calibrated_ir)
    frames = list(open_stream(str(tiny_data.root / "images")).frames())
    for one, other, plain in zip(
        in_turn(predictor, frames, 0.5), side_by_side(predictor, frames, 0.5), in_turn(predictor, frames), strict=True
    ):
        assert_array_equal(one.mask, other.mask)
        known = one.mask != 255
        assert_array_equal(one.mask[known], plain.mask[known])
    assert 0 < known.mean() < 1


def test_a_training_begins_without_it(calibrated: Path, tiny_weights: Path) -> None:
    weights = read_weights(calibrated)
    assert weights.template is not None
    networks = [build_model(weights.template, len(weights.labels)) for _ in range(2)]
    for network, file in zip(networks, (calibrated, tiny_weights), strict=True):
        load_starting_weights(network, file, weights.labels, weights.template)
    assert all(torch.equal(a, b) for a, b in zip(*(n.state_dict().values() for n in networks), strict=True))


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), 5.1, "warm", None])
def test_a_damaged_temperature(tiny_weights: Path, tmp_path: Path, value: Any) -> None:
    path = with_temperature(tiny_weights, tmp_path / "weights.pth", value)
    with pytest.raises(UsageError, match=r"weights\.pth: temperature is .*; take the file as `otx train` wrote it"):
        read_weights(path)


def test_files_of_before(tiny_weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    content = torch.load(tiny_weights, weights_only=True)
    del content["temperature"], content["digest"]
    torch.save(content, path)
    assert read_weights(path).temperature == 1
