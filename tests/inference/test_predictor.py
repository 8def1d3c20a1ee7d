import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
import torch
from numpy.testing import assert_allclose

from otx_seg import template
from otx_seg.deployment.agreement import drawn_images
from otx_seg.errors import UsageError
from otx_seg.inference.predictor import load_predictor
from otx_seg.labels import Labels, default_colors
from otx_seg.models.network import SegmentationNetwork
from otx_seg.runtime.crops import network_input
from otx_seg.runtime.predictor import Predictor
from otx_seg.workspace.weights import write_label_schema


@pytest.fixture(scope="module")
def predictors(tiny_weights: Path, tiny_ir: Path, tiny_onnx: Path) -> list[Predictor]:
    return [load_predictor(tiny_weights, device="cpu"), load_predictor(tiny_ir), load_predictor(tiny_onnx)]


@pytest.fixture(scope="module")
def batch() -> np.ndarray:
    return np.concatenate([network_input(image, (64, 64)) for image in drawn_images((48, 80))])


def test_all_three_tell_what_they_are(predictors: list[Predictor]) -> None:
    assert [predictor.kind for predictor in predictors] == ["torch", "openvino", "onnx"]
    for predictor in predictors:
        assert predictor.labels.names == ("background", "red brick", "pole", "sky")
        assert predictor.labels.colors == default_colors(4)
        assert predictor.labels.background == 0
        assert predictor.input_size == (64, 64)
        assert predictor.template is not None
        assert predictor.template["name"] == "Lite-HRNet-s-mod2"
        assert predictor.post_processing.soft_threshold == 0
        assert predictor.post_processing.blur_strength == 1


def test_all_three_give_the_network_s_probabilities(
    predictors: list[Predictor], batch: np.ndarray, tiny_network: SegmentationNetwork
) -> None:
    with torch.no_grad():
        expected = tiny_network(torch.from_numpy(batch)).softmax(dim=1).numpy()
    assert len(np.unique(expected.argmax(axis=1))) == 4  # else the comparison would say little
    for predictor in predictors:
        probabilities = predictor.probabilities(batch)
        assert probabilities.dtype == np.float32
        assert probabilities.shape == (4, 4, 64, 64)
        assert_allclose(probabilities, expected, atol=1e-4)
        assert_allclose(predictor.probabilities(torch.from_numpy(batch)), probabilities, atol=1e-6)


def test_a_result_is_not_overwritten_by_the_next_call(predictors: list[Predictor], batch: np.ndarray) -> None:
    for predictor in predictors:
        first = predictor.probabilities(batch[:1])
        kept = first.copy()
        predictor.probabilities(batch[1:2])
        assert_allclose(first, kept, atol=0)


def test_torch_is_switched_to_evaluation_mode(tiny_weights: Path, batch: np.ndarray) -> None:
    predictor = load_predictor(tiny_weights, device="cpu")
    expected = predictor.probabilities(batch)
    predictor.network.train()
    assert_allclose(predictor.probabilities(batch), expected, atol=0)


def test_naming_the_template(tiny_ir: Path) -> None:
    assert load_predictor(tiny_ir, template.load("Lite-HRNet-s-mod2")).kind == "openvino"
    with pytest.raises(UsageError, match=r"made from the template Lite-HRNet-s-mod2, not from SegNext-t"):
        load_predictor(tiny_ir, template.load("SegNext-t"))


def test_naming_another_template_for_a_checkpoint(tiny_weights: Path) -> None:
    with pytest.raises(UsageError, match=r"made from the template Lite-HRNet-s-mod2, not from Lite-HRNet-18"):
        load_predictor(tiny_weights, template.load("Lite-HRNet-18"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("weights.pt", r"weights end in \.pth, \.xml, \.onnx, \.zip, not in '\.pt'"),
        ("weights", r"not in nothing"),
        ("missing.pth", "there is no such file"),
        ("text.pth", "is not a checkpoint, or is damaged"),
        ("text.onnx", "is not an ONNX model, or is damaged"),
        ("text.xml", "is not an OpenVINO model"),
    ],
)
def test_files_that_are_no_weights(name: str, message: str, tmp_path: Path) -> None:
    if name != "missing.pth":
        (tmp_path / name).write_text("hello")
    (tmp_path / "text.bin").write_text("hello")
    with pytest.raises(UsageError, match=message):
        load_predictor(tmp_path / name)


def test_an_ir_without_its_second_file(tiny_ir: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_ir, tmp_path / "model.xml")
    with pytest.raises(UsageError, match=r"model\.bin: missing"):
        load_predictor(tmp_path / "model.xml")


@pytest.mark.parametrize("has_digest", [True, False])
def test_an_ir_with_another_one_s_second_file(tiny_ir: Path, tmp_path: Path, has_digest: bool) -> None:
    xml = tiny_ir.read_bytes()
    (tmp_path / "model.xml").write_bytes(xml if has_digest else re.sub(rb"<otx_digest[^>]*>", b"", xml))
    for content in (b"", b"short", tiny_ir.with_suffix(".bin").read_bytes()[:-4]):
        (tmp_path / "model.bin").write_bytes(content)
        said = r"model\.xml or model\.bin is damaged or was changed" if has_digest else "does not fit its model"
        with pytest.raises(UsageError, match=said):
            load_predictor(tmp_path / "model.xml")


def open_ir(folder: Path, size: str | None) -> Path:
    """An IR of another tool that takes any image, and fails on images of odd height."""
    opset = openvino.opset13
    image = opset.parameter(openvino.PartialShape([-1, 3, -1, -1]), np.float32, name="image")
    halves = opset.reshape(image, [0, 6, -1, 0], special_zero=True)
    same = opset.reshape(halves, opset.shape_of(image), special_zero=False)
    model = openvino.Model([opset.softmax(same, axis=1)], [image], "open")
    if size is not None:
        model.set_rt_info(size, ["model_info", "otx_input_size"])
    openvino.save_model(model, folder / "open.xml")
    write_label_schema(folder / "label_schema.json", Labels(("a", "b", "c"), default_colors(3), None))
    return folder / "open.xml"


def test_a_graph_of_any_size_runs_at_the_one_it_names(tmp_path: Path) -> None:
    predictor = load_predictor(open_ir(tmp_path, "8x10"))
    assert predictor.input_size == (8, 10)
    assert predictor.probabilities(np.zeros((2, 3, 8, 10), np.uint8)).shape == (2, 3, 8, 10)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (None, r"takes images of any size and does not say at which to run it \(model_info/otx_input_size\)"),
        ("8", "its model_info is damaged"),
        ("0x8", "its model_info is damaged"),
        ("7x9", "cannot be run on one image of 7 x 9 pixels"),
    ],
)
def test_a_graph_of_any_size_that_names_none_it_can_take(size: str | None, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        load_predictor(open_ir(tmp_path, size))


def test_damaged_metadata(tiny_onnx: Path, tmp_path: Path) -> None:
    model = onnx.load(tiny_onnx)
    next(item for item in model.metadata_props if item.key == "model_info otx_labels").value = "[}"
    model.metadata_props.remove(next(item for item in model.metadata_props if item.key == "model_info otx_digest"))
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(UsageError, match="its model_info is damaged"):
        load_predictor(tmp_path / "model.onnx")
