import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from full_disk import full_disk
from numpy.testing import assert_allclose
from small_network import small_template
from torch import nn

from otx_seg.deployment import export as export_module
from otx_seg.deployment.agreement import agreement, drawn_images
from otx_seg.deployment.export import export
from otx_seg.errors import OtxError, UsageError
from otx_seg.inference.predictor import load_predictor
from otx_seg.labels import Labels, default_colors
from otx_seg.models.build import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.runtime.crops import network_input
from otx_seg.runtime.openvino_core import openvino_core
from otx_seg.runtime.predict_mask import predict_mask
from otx_seg.workspace.weights import read_weights, write_weights


def ir_entry(path: Path, name: str) -> str:
    return openvino_core().read_model(path).get_rt_info(["model_info", name]).astype(str)


def test_files(tiny_ir: Path, tiny_onnx: Path) -> None:
    assert sorted(file.name for file in tiny_ir.parent.iterdir()) == [
        "label_schema.json",
        "openvino.bin",
        "openvino.xml",
    ]
    assert sorted(file.name for file in tiny_onnx.parent.iterdir()) == ["label_schema.json", "model.onnx"]
    labels = json.loads((tiny_ir.parent / "label_schema.json").read_text())
    assert labels["names"] == ["background", "red brick", "pole", "sky"]


def test_plain_openvino_and_plain_onnxruntime(
    tiny_ir: Path, tiny_onnx: Path, tiny_network: SegmentationNetwork
) -> None:
    image = network_input(drawn_images((64, 64))[0], (64, 64)).astype(np.float32)
    with torch.no_grad():
        expected = tiny_network(torch.from_numpy(image)).softmax(dim=1).numpy()
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    by_openvino = openvino_core().compile_model(tiny_ir, "CPU", settings)({"image": image})["output"]
    (by_onnx,) = onnxruntime.InferenceSession(tiny_onnx).run(["output"], {"image": image})
    for found in (by_openvino, by_onnx):
        assert found.shape == (1, 4, 64, 64)
        assert_allclose(found.sum(axis=1), 1, atol=1e-5)
        assert_allclose(found, expected, atol=1e-4)


def test_no_arithmetic_on_shapes_is_left(tiny_ir: Path) -> None:
    types = {node.get_type_name() for node in openvino_core().read_model(tiny_ir).get_ops()}
    assert "Convolution" in types
    assert not types & {"ShapeOf", "Gather", "Mod", "FloorMod"}


def test_metadata(tiny_ir: Path, tiny_onnx: Path) -> None:
    properties = {item.key: item.value for item in onnx.load(tiny_onnx).metadata_props}
    expected = {
        "model_type": "Segmentation",
        "labels": "red_brick pole sky background",
        "soft_threshold": "0.0",
        "blur_strength": "1",
        "resize_type": "standard",
        "reverse_input_channels": "False",
        "otx_input_size": "64x64",
    }
    for name, value in expected.items():
        assert ir_entry(tiny_ir, name) == value
        assert properties[f"model_info {name}"] == value
    for text in (ir_entry(tiny_ir, "otx_template"), properties["model_info otx_template"]):
        template = json.loads(text)
        assert template["name"] == "Lite-HRNet-s-mod2"
        assert template["hyper_parameters"]["learning_parameters"]["input_size"] == "64x64"
    assert json.loads(ir_entry(tiny_ir, "otx_labels"))["names"][1] == "red brick"


@pytest.mark.parametrize("kind", ["tiny_ir", "tiny_onnx"])
def test_model_api_needs_no_settings(kind: str, request: pytest.FixtureRequest) -> None:
    models = pytest.importorskip("model_api.models", reason="openvino-model-api is not installed")
    model = models.SegmentationModel.create_model(str(request.getfixturevalue(kind)), device="CPU")
    assert model.params.labels == ["red_brick", "pole", "sky", "background"]
    mask = model(drawn_images((60, 100))[0]).resultImage
    assert mask.shape == (60, 100)
    assert np.unique(mask).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", ["tiny_ir", "tiny_onnx"])
def test_model_api_says_the_same(kind: str, request: pytest.FixtureRequest) -> None:
    models = pytest.importorskip("model_api.models", reason="openvino-model-api is not installed")
    adapters = pytest.importorskip("model_api.adapters")
    path: Path = request.getfixturevalue(kind)
    # bfloat16, OpenVINO's default on some processors, is too coarse for a network of random numbers. Images of the
    # input size: Model API enlarges masks where we enlarge probabilities.
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    adapter = adapters.OpenvinoAdapter(openvino_core(), str(path), device="CPU", plugin_config=settings)
    model = models.SegmentationModel.create_model(adapter)
    predictor = load_predictor(path)
    for image in drawn_images((64, 64)):
        assert (model(image).resultImage == predict_mask(predictor, image)).mean() >= 0.999


def test_half_precision(tiny_weights: Path, tiny_ir: Path, tmp_path: Path) -> None:
    # With random numbers for weights, labels are close to each other and 16 bits change 2 % of them: prefer one label.
    weights = read_weights(tiny_weights)
    weights.state_dict["decode_head.conv_seg.bias"][1] += 5
    assert weights.template is not None
    write_weights(tmp_path / "weights.pth", weights.state_dict, weights.labels, weights.template, weights.origin)
    exported = export(tmp_path / "weights.pth", tmp_path / "half", half_precision=True, images=drawn_images((64, 64)))
    assert exported.agreement >= 0.999
    assert exported.images == 4
    size = exported.model.with_suffix(".bin").stat().st_size
    assert size < 0.52 * tiny_ir.with_suffix(".bin").stat().st_size


def test_half_precision_is_refused_for_onnx(tiny_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="half precision is not possible with ONNX"):
        export(tiny_weights, tmp_path / "out", "onnx", half_precision=True)
    assert not (tmp_path / "out").exists()


class Different(nn.Module):
    """A network that prefers another label."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images).roll(1, dims=1)


def test_a_graph_that_says_something_else_is_refused(
    tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.onnx").write_text("an older one")
    deployable = export_module.Deployable
    monkeypatch.setattr(export_module, "Deployable", lambda *how: Different(deployable(*how)))
    with pytest.raises(OtxError, match=r"agrees with the network on \d+\.\d\d\d% of the pixels only, 99\.9% are"):
        export(tiny_weights, tmp_path, "onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    assert (tmp_path / "model.onnx").read_text() == "an older one"


# The errors of Python's own files do not name them, so that the folder is named.
@pytest.mark.parametrize(("kind", "name"), [("openvino", "/openvino.xml"), ("onnx", "")])
def test_a_full_disk(kind: Any, name: str, tiny_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(OtxError, match=rf"cannot write .*out{name}: .*; free space or choose ano"), full_disk(50_000):
        export(tiny_weights, tmp_path / "out", kind)
    assert not list(tmp_path.iterdir())


def test_output_that_cannot_be_written(tiny_weights: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OtxError, match=r"cannot write .*out: File exists; .*another --output"):
        export(tiny_weights, tmp_path / "out", "onnx")


def test_agreement_counts_the_pixels_with_a_less_probable_label(tiny_weights: Path, tiny_ir: Path) -> None:
    network, exported = load_predictor(tiny_weights, device="cpu"), load_predictor(tiny_ir)
    images = drawn_images((64, 64))
    assert agreement(network, exported, images) >= 0.999

    class OneWrong:
        gives_masks = False

        def probabilities(self, batch: np.ndarray) -> np.ndarray:
            found = exported.probabilities(batch)
            found[:, :, 0, :16] = 1 - found[:, :, 0, :16]
            return found

    assert agreement(network, OneWrong(), images) == pytest.approx(1 - 16 / 64**2, abs=0.001)


@pytest.mark.parametrize("threshold", [0.5, 0.3])
@pytest.mark.parametrize("format_name", ["openvino", "onnx"])
def test_one_channel_is_exported_as_two_are(tmp_path: Path, format_name: str, threshold: float) -> None:
    """The same function by two channels, whose second bias is moved by the odds of the threshold."""
    labels = Labels(("background", "crack"), default_colors(2), background=0)
    parameters = {"learning_parameters.binary": True, "learning_parameters.binary_threshold": threshold}
    one, two = small_template().override(parameters), small_template()
    network = build_model(one, 2)
    nn.init.normal_(network.decode_head.conv_seg.weight)
    state = network.state_dict()
    write_weights(tmp_path / "one.pth", state, labels, one, "random numbers")
    weight, bias = state["decode_head.conv_seg.weight"], state["decode_head.conv_seg.bias"]
    state["decode_head.conv_seg.weight"] = torch.cat([torch.zeros_like(weight), weight])
    state["decode_head.conv_seg.bias"] = torch.cat([torch.zeros(1), bias - np.log(threshold / (1 - threshold))])
    write_weights(tmp_path / "two.pth", state, labels, two, "random numbers")
    image = network_input(drawn_images((64, 64))[0], (64, 64))
    found = []
    for name in ("one", "two"):
        model = export(tmp_path / f"{name}.pth", tmp_path / name, format_name, dump_features=True).model
        predictor = load_predictor(model)
        found.append((predictor.probabilities(image), predictor.activations(image).class_activation))
    assert found[0][0].shape == (1, 2, 64, 64)
    assert_allclose(found[0][0], found[1][0], atol=1e-4)
    one_activation, two_activation = found[0][1], found[1][1]
    assert_allclose(one_activation[1] - one_activation[0], two_activation[1] - two_activation[0], atol=1e-3)
