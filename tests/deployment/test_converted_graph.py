"""Models exported with their features: what others see of them, and what is kept inside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import openvino
import pytest
import torch
from numpy.testing import assert_allclose
from openvino import opset13
from torch import nn
from whole_recipe import EVERYTHING

from otx_seg.datasets import Subset
from otx_seg.deployment.agreement import agreement, drawn_images
from otx_seg.deployment.converted_graph import decompose_group_norms, fold_padding
from otx_seg.deployment.export import export
from otx_seg.deployment.quantize import quantize
from otx_seg.errors import UsageError
from otx_seg.inference.predictor import load_predictor
from otx_seg.models.network import SegmentationNetwork
from otx_seg.runtime.crops import network_input
from otx_seg.runtime.openvino_core import openvino_core
from otx_seg.runtime.predictor import Activations
from otx_seg.workspace.weights import read_weights, write_weights

IMAGE = network_input(drawn_images((48, 80))[1], (64, 64))


@torch.no_grad()
def by_torch(network: SegmentationNetwork) -> Activations:
    """What mmseg's head does, step by step, without the code under test."""
    head, kept = network.network.decode_head, []
    with head.conv_seg.register_forward_pre_hook(lambda _, given: kept.append(given[0])):
        probabilities = network(torch.from_numpy(IMAGE)).softmax(dim=1)
    (features,) = kept
    sums = torch.einsum("kc,chw->khw", head.conv_seg.weight[:, :, 0, 0], features[0])
    return Activations(probabilities[0].numpy(), features[0].numpy(), sums.numpy())


def assert_same(found: Activations, expected: Activations, tolerance: float) -> None:
    for name in ("probabilities", "feature_map", "class_activation"):
        values = getattr(found, name)
        assert values.dtype == np.float32
        scale = np.abs(getattr(expected, name)).max()
        assert_allclose(values, getattr(expected, name), atol=tolerance * scale, err_msg=name)


@pytest.mark.parametrize("kind", ["tiny_weights", "open_ir", "open_onnx"])
def test_every_kind_of_model_shows_the_same(
    kind: str, tiny_network: SegmentationNetwork, request: pytest.FixtureRequest
) -> None:
    predictor = load_predictor(request.getfixturevalue(kind), device="cpu")
    seen = predictor.activations(IMAGE)
    assert_same(seen, by_torch(tiny_network), 1e-4)
    assert_allclose(predictor.probabilities(IMAGE)[0], seen.probabilities, atol=1e-5)
    kept = seen.feature_map.copy()
    predictor.activations(255 - IMAGE)
    assert (seen.feature_map == kept).all()  # not overwritten by the next call


def test_the_outputs(open_ir: Path, open_onnx: Path, tiny_network: SegmentationNetwork) -> None:
    vector = by_torch(tiny_network).feature_map.mean(axis=(1, 2))
    model = openvino_core().read_model(open_ir)
    assert [port.get_names() for port in model.outputs] == [{"output"}, {"feature_vector"}]
    compiled = openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    session = onnxruntime.InferenceSession(open_onnx)
    assert [port.name for port in session.get_outputs()] == ["output", "feature_vector"]
    image = IMAGE.astype(np.float32)
    for found in (compiled(image)["feature_vector"], session.run(["feature_vector"], {"image": image})[0]):
        assert found.shape == (1, len(vector))
        assert_allclose(found[0], vector, atol=1e-4 * np.abs(vector).max())


def test_who_wants_probabilities_waits_for_nothing_else(open_ir: Path) -> None:
    predictor = load_predictor(open_ir)
    predictor.probabilities(IMAGE)
    assert len(predictor._compiled.outputs) == len(predictor.compiled_for_throughput.outputs) == 1


@pytest.mark.parametrize("kind", ["tiny_ir", "tiny_onnx"])
def test_a_model_exported_without_them(kind: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(kind)
    with pytest.raises(UsageError, match=rf"{path.name}: was exported without its features.* export it with --dump-f"):
        load_predictor(path).activations(IMAGE)


@pytest.mark.parametrize("kind", ["open_ir", "open_onnx"])
def test_model_api_returns_the_feature_vector(
    kind: str, tiny_network: SegmentationNetwork, request: pytest.FixtureRequest
) -> None:
    models = pytest.importorskip("model_api.models", reason="openvino-model-api is not installed")
    model = models.SegmentationModel.create_model(str(request.getfixturevalue(kind)), device="CPU")
    result = model(drawn_images((48, 80))[1])
    assert np.unique(result.resultImage).tolist() == [0, 1, 2, 3]
    vector = by_torch(tiny_network).feature_map.mean(axis=(1, 2))
    assert result.feature_vector.shape == (1, len(vector))
    assert np.abs(result.feature_vector[0] - vector).max() < 0.1 * np.abs(vector).max()  # bfloat16 on some processors


def test_in_half_precision(tiny_weights: Path, tiny_network: SegmentationNetwork, tmp_path: Path) -> None:
    # As in the test of half precision itself: one label is preferred, so that 16 bits change few pixels.
    weights = read_weights(tiny_weights)
    weights.state_dict["decode_head.conv_seg.bias"][1] += 5
    assert weights.template is not None
    write_weights(tmp_path / "weights.pth", weights.state_dict, weights.labels, weights.template, weights.origin)
    exported = export(tmp_path / "weights.pth", tmp_path / "half", half_precision=True, dump_features=True)
    seen, expected = load_predictor(exported.model).activations(IMAGE), by_torch(tiny_network)
    largest = np.abs(expected.feature_map).max()
    assert_allclose(seen.feature_map, expected.feature_map, atol=0.1 * largest)  # bfloat16 on some processors


def test_quantised(open_ir: Path, tiny_data: Subset, tmp_path: Path) -> None:
    result = quantize(open_ir, tiny_data, tiny_data, tmp_path / "ptq", EVERYTHING, seed=1)
    original, quantised = load_predictor(open_ir), load_predictor(result.model)
    model = openvino_core().read_model(result.model)
    assert [port.get_names() for port in model.outputs] == [{"output"}, {"feature_vector"}]
    seen, before = quantised.activations(IMAGE), original.activations(IMAGE)
    assert_allclose(quantised.probabilities(IMAGE)[0], seen.probabilities, atol=1e-5)
    for name in ("feature_map", "class_activation"):
        pair = [getattr(activations, name).ravel() for activations in (seen, before)]
        assert np.corrcoef(pair)[0, 1] > 0.9, name
    assert agreement(original, quantised, drawn_images((64, 64))) > 0.8


@pytest.mark.parametrize("shape", [[2, 12, 5, 7], [-1, 12, 5, 7], [2, 12, -1, -1], [-1, 12, -1, -1]])
def test_group_norm_followed_by_a_sum(shape: list[int]) -> None:
    torch.manual_seed(0)
    norm = nn.GroupNorm(4, 12, eps=1e-3)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    images = 3 * torch.randn(2, 12, 5, 7) + 1
    with torch.no_grad():
        expected = (norm(images) + images).numpy()

    opset = openvino.opset13
    image = opset.parameter(openvino.PartialShape(shape), np.float32)
    weight, bias = (opset.constant(values.detach().numpy()) for values in (norm.weight, norm.bias))
    x = opset.group_normalization(image, weight, bias, 4, 1e-3, name="norm")
    model = openvino.Model([opset.add(x, image)], [image], "norm")
    decompose_group_norms(model)

    nodes = {node.get_friendly_name(): node.get_type_name() for node in model.get_ops()}
    assert "GroupNormalization" not in nodes.values()
    assert nodes["norm"] == "Add"
    compiled = openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert_allclose(compiled(images.numpy())[0], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("value", "mode", "folded"), [(0.0, "constant", True), (1.0, "constant", False), (0.0, "edge", False)]
)
def test_zeros_before_a_convolution_become_its_padding(value: int, mode: str, folded: bool) -> None:
    rng = np.random.default_rng(0)
    image = opset13.parameter([1, 4, 7, 6], np.float32)
    padded = opset13.pad(image, [0, 0, 0, 1], [0, 0, 2, 1], mode, np.float32(value))
    kernels = rng.normal(size=(5, 4, 3, 3)).astype(np.float32)
    both = [
        opset13.convolution(padded, kernels, [2, 2], [1, 0], [0, 0], [1, 1]),
        opset13.group_convolution(padded, kernels[:4].reshape(4, 1, 4, 3, 3)[:, :, :1], [1, 1], [0, 0], [0, 0], [1, 1]),
    ]
    model = openvino.Model([opset13.result(one) for one in both], [image])
    given = rng.normal(size=(1, 4, 7, 6)).astype(np.float32)
    expected = list(openvino_core().compile_model(model, "CPU")(given).values())
    fold_padding(model)
    assert ("Pad" not in [node.get_type_name() for node in model.get_ops()]) is folded
    found = list(openvino_core().compile_model(model, "CPU")(given).values())
    for one, other in zip(found, expected, strict=True):
        assert_allclose(one, other, atol=1e-5)
