"""Models that other tools wrote: used if they do what ours do, else refused with what they are."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
from color_graph import COLORS, LABELS, color_graph, saved
from numpy.testing import assert_allclose
from onnx import TensorProto, helper

from otx_seg.errors import UsageError
from otx_seg.inference.predictor import load_predictor
from otx_seg.labels import Labels, labels_called
from otx_seg.workspace.weights import write_label_schema

NAMES = labels_called("background,grass,sea")
opset = openvino.opset13


def drawn() -> np.ndarray:
    """uint8 (1, 3, 16, 16): columns of the three colours."""
    columns = np.array(COLORS, np.uint8)[np.arange(16) % 3]
    return np.ascontiguousarray(np.broadcast_to(columns.T[None, :, None], (1, 3, 16, 16)))


def onnx_model(path: Path, nodes: list[onnx.NodeProto], classes: int = 3, element: int = TensorProto.FLOAT) -> Path:
    """A graph from ``image`` to ``result``."""
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("image", element, (1, 3, 8, 8))],
        [helper.make_tensor_value_info("result", TensorProto.FLOAT, (1, classes, 8, 8))],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


SOFTMAX = helper.make_node("Softmax", ["image"], ["result"], axis=1)


@pytest.mark.parametrize("kind", ["xml", "onnx"])
def test_labels_are_asked_for_and_taken(kind: str, tmp_path: Path) -> None:
    path = (
        saved(color_graph(), tmp_path / "foreign.xml")
        if kind == "xml"
        else onnx_model(tmp_path / "foreign.onnx", [SOFTMAX])
    )
    with pytest.raises(UsageError, match=r"gives probabilities of 3 labels, but their names .* name them .*--labels"):
        load_predictor(path)
    with pytest.raises(UsageError, match="probabilities of 3 labels, but 2 are named: a, b"):
        load_predictor(path, labels=labels_called("a,b"))
    predictor = load_predictor(path, labels=NAMES)
    assert predictor.labels == NAMES
    assert predictor.labels.background == 0
    assert predictor.template is None
    if kind == "xml":
        assert (predictor.probabilities(drawn())[0].argmax(axis=0) == np.arange(16) % 3).all()


def test_where_labels_come_from(tmp_path: Path) -> None:
    path = saved(color_graph(), tmp_path / "foreign.xml", labels="road red_brick sky")
    assert load_predictor(path).labels.names == ("road", "red_brick", "sky")
    assert load_predictor(path).labels.background is None
    # as Model API counts them, from mask value 1 on
    assert load_predictor(saved(color_graph(), tmp_path / "foreign.xml", labels="a b")).labels.names == (
        "background",
        "a",
        "b",
    )
    with pytest.raises(UsageError, match="--labels"):
        load_predictor(saved(color_graph(), tmp_path / "foreign.xml", labels="a b c d"))
    write_label_schema(tmp_path / "label_schema.json", LABELS)
    assert load_predictor(path).labels == LABELS  # with its colours
    assert load_predictor(path, labels=labels_called("x,y,z")).labels.names == ("x", "y", "z")
    (tmp_path / "label_schema.json").write_text("[]")
    with pytest.raises(UsageError, match=r"label_schema\.json: is not a label schema"):
        load_predictor(path)


def test_models_that_carry_labels_keep_them(tiny_weights: Path, tiny_ir: Path, tiny_onnx: Path) -> None:
    same = labels_called("background,red brick,pole,sky")
    for path in (tiny_weights, tiny_ir, tiny_onnx):
        assert load_predictor(path, labels=same).labels.names == same.names
        with pytest.raises(UsageError, match=r"carries its labels, background, red brick, .*leave --labels out"):
            load_predictor(path, labels=labels_called("a,b,c,d"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mean_values", "123.675 116.28 103.53"),
        ("scale_values", "58.395, 57.12, 57.375"),
        ("reverse_input_channels", "True"),
        ("reverse_input_channels", "YES"),
        ("resize_type", "fit_to_window_letterbox"),
    ],
)
def test_input_that_is_to_be_prepared_otherwise(name: str, value: str, tmp_path: Path) -> None:
    path = saved(color_graph(), tmp_path / "foreign.xml", **{name: value})
    with pytest.raises(UsageError, match=rf"wants its input prepared otherwise.*model_info/{name} is '{value}'"):
        load_predictor(path, labels=NAMES)


def test_entries_that_ask_for_nothing(tmp_path: Path) -> None:
    entries = {
        "mean_values": "0.0 0.0 0.0",
        "scale_values": "1.0 1.0 1.0",
        "reverse_input_channels": "False",
        "resize_type": "standard",
        "pad_value": "114",
    }
    assert load_predictor(saved(color_graph(), tmp_path / "foreign.xml", **entries), labels=NAMES).kind == "openvino"


def classifier() -> openvino.Model:
    image = opset.parameter((1, 3, 16, 16), np.float32)
    pooled = opset.squeeze(opset.reduce_mean(image, opset.constant([2, 3]), True), opset.constant([2, 3]))
    return openvino.Model([opset.softmax(pooled, 1)], [image], "classifier")


def detector() -> openvino.Model:
    image = opset.parameter((1, 3, 16, 16), np.float32)
    boxes = opset.reshape(image, opset.constant([1, 192, 4]), False)
    scores = opset.reduce_max(boxes, opset.constant([2]), False)
    return openvino.Model([boxes, scores], [image], "detector")


def before_softmax() -> openvino.Model:
    model = color_graph()
    logits = model.output(0).get_node().input_value(0).get_node().input_value(0)
    return openvino.Model([logits], model.get_parameters(), "logits")


def of_any_size() -> openvino.Model:
    image = opset.parameter([1, 3, -1, -1], np.float32)
    return openvino.Model([opset.softmax(image, 1)], [image], "dynamic")


def grey() -> openvino.Model:
    image = opset.parameter((1, 1, 16, 16), np.float32)
    return openvino.Model([opset.softmax(opset.concat([image, image], 1), 1)], [image], "grey")


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (classifier, "looks like a model for classification: it takes float32 (1, 3, 16, 16) and gives float32 (1, 3)"),
        (detector, "looks like a model for object detection"),
        (before_softmax, "as a network does before its softmax; probabilities are needed"),
        (of_any_size, "takes images of any size and does not say at which"),
        (grey, "takes images of one channel"),
    ],
)
def test_models_for_something_else(model: object, text: str, tmp_path: Path) -> None:
    assert callable(model)
    path = saved(model(), tmp_path / "foreign.xml")
    with pytest.raises(UsageError, match=re.escape(text)):
        load_predictor(path, labels=NAMES)


def test_onnx_models_for_something_else(tmp_path: Path) -> None:
    logits = onnx_model(tmp_path / "logits.onnx", [helper.make_node("Neg", ["image"], ["result"])])
    with pytest.raises(UsageError, match=r"logits\.onnx: gives values from -249 to 0, as a network does before"):
        load_predictor(logits, labels=NAMES)
    cast = helper.make_node("Cast", ["image"], ["cast"], to=TensorProto.FLOAT)
    nodes = [cast, helper.make_node("Softmax", ["cast"], ["result"], axis=1)]
    with pytest.raises(UsageError, match="takes numbers of the type uint8"):
        load_predictor(onnx_model(tmp_path / "uint8.onnx", nodes, element=TensorProto.UINT8), labels=NAMES)


def test_onnx_models_that_onnx_runtime_refuses(tmp_path: Path) -> None:
    unknown = onnx_model(tmp_path / "unknown.onnx", [helper.make_node("Softmaxx", ["image"], ["result"])])
    with pytest.raises(
        UsageError, match=r"unknown\.onnx: is not an ONNX model, or is damaged \(ONNX Runtime: .*Softmaxx"
    ):
        load_predictor(unknown, labels=NAMES)
    model = onnx.load(onnx_model(tmp_path / "outside.onnx", [helper.make_node("Add", ["image", "w"], ["result"])]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((1, 3, 8, 8), np.float32), "w"))
    onnx.save(model, tmp_path / "outside.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    (tmp_path / "w.bin").unlink()
    with pytest.raises(
        UsageError, match=r"outside\.onnx: is not an ONNX model, or is damaged \(ONNX Runtime: .*w\.bin"
    ):
        load_predictor(tmp_path / "outside.onnx", labels=NAMES)


def test_the_recipe_of_the_documentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "docs" / "deployment.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"```python\n(import openvino\n.*?)```", text, re.DOTALL)
    # Channels last, blue first, normalised; logits that tell what they were made from.
    image = opset.parameter((1, 8, 8, 3), np.float32)
    openvino.save_model(openvino.Model([opset.relu(image)], [image], "theirs"), tmp_path / "theirs.xml")
    monkeypatch.chdir(tmp_path)
    exec(recipe, {})
    rgb = np.random.default_rng(0).integers(0, 256, (1, 3, 8, 8), np.uint8)
    mean, scale = np.array([103.53, 116.28, 123.675]), np.array([57.375, 57.12, 58.395])
    logits = np.maximum((rgb[:, ::-1] - mean[:, None, None]) / scale[:, None, None], 0)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    predictor = load_predictor(tmp_path / "changed.xml", labels=Labels(NAMES.names, NAMES.colors, None))
    assert_allclose(predictor.probabilities(rgb), expected, atol=1e-5)
