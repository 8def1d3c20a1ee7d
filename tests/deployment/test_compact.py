from collections import Counter
from pathlib import Path

import nncf
import numpy as np
import openvino
import pytest
from numpy.testing import assert_array_equal

from otx_seg.deployment.compact import halve_large_constants, save_compact, store_kernels_in_8_bits
from otx_seg.deployment.files import size_of
from otx_seg.runtime.openvino_core import openvino_core

AWKWARD = 'a > b\n  < "c" & <dim>3</dim></port> shape="1, 2" auto_broadcast="numpy" /> ü'


def quantised(path: Path) -> openvino.Model:
    model = openvino_core().read_model(path)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (1, 3, 16, 16)).astype(np.float32) for _ in range(2)]
    quantized = nncf.quantize(model, nncf.Dataset(images), subset_size=2)
    quantized.set_rt_info(AWKWARD, ["model_info", "awkward"])
    return quantized


@pytest.fixture
def saved(color_ir: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The same quantised model, written plainly and compactly."""
    plain, compact = tmp_path / "plain.xml", tmp_path / "compact.xml"
    model = quantised(color_ir)
    openvino.save_model(model, plain, compress_to_fp16=False)
    save_compact(model, compact)
    return plain, compact


def test_the_same_numbers_from_smaller_files(saved: tuple[Path, Path]) -> None:
    plain, compact = saved
    assert size_of(compact) < 0.85 * size_of(plain)
    image = np.random.default_rng(1).integers(0, 256, (1, 3, 16, 16)).astype(np.float32)
    results = [openvino_core().compile_model(path, "CPU")({"image": image})[0] for path in saved]
    assert_array_equal(results[0], results[1])


def test_what_users_see_stays(saved: tuple[Path, Path]) -> None:
    plain, compact = (openvino_core().read_model(path) for path in saved)
    assert compact.inputs[0].get_any_name() == "image"
    assert compact.outputs[0].get_names() == plain.outputs[0].get_names()
    assert compact.get_rt_info(["model_info", "awkward"]).astype(str) == plain.get_rt_info(
        ["model_info", "awkward"]
    ).astype(str)
    assert compact.get_rt_info(["model_info", "labels"]).astype(str) == "grass sea background"
    names = {node.get_friendly_name() for node in compact.get_ops()}
    assert {"image", "spread/Convolution", "decide/Convolution"} < names


def test_constants_are_shared_and_the_graph_is_otherwise_the_same(saved: tuple[Path, Path]) -> None:
    kinds = [Counter(node.get_type_name() for node in openvino_core().read_model(path).get_ops()) for path in saved]
    constants = [kind.pop("Constant") for kind in kinds]
    assert kinds[0] == kinds[1]
    assert constants[1] < constants[0]
    plain, compact = saved
    assert 'auto_broadcast="numpy"' in plain.read_text()
    assert 'auto_broadcast="' not in compact.read_text()
    graphs = [{node.get_type_name(): node for node in openvino_core().read_model(path).get_ops()} for path in saved]
    ways = [{kind: node.get_attributes().get("auto_broadcast") for kind, node in graph.items()} for graph in graphs]
    assert ways[0] == ways[1]
    assert ways[0]["FakeQuantize"] == "numpy"


def test_halving_large_constants() -> None:
    opset = openvino.opset13
    rng = np.random.default_rng(2)
    image = opset.parameter((1, 32, 4, 4), np.float32, name="image")
    kernels = [rng.standard_normal((32, 32, 1, 1)).astype(np.float32), rng.standard_normal((8, 32, 1, 1)).astype("f4")]
    x = image
    for kernel in kernels:
        x = opset.convolution(x, opset.constant(kernel), [1, 1], [0, 0], [0, 0], [1, 1])
    model = openvino.Model([x], [image], "two")
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    pixels = rng.standard_normal((1, 32, 4, 4)).astype(np.float32)
    before = openvino_core().compile_model(model, "CPU", settings)(pixels)[0].copy()
    halve_large_constants(model)
    stored = {node.get_element_type() for node in model.get_ops() if node.get_type_name() == "Constant"}
    assert stored == {openvino.Type.f16, openvino.Type.f32}  # 1024 and 256 elements
    after = openvino_core().compile_model(model, "CPU", settings)(pixels)[0]
    assert 0 < np.abs(after - before).max() < 0.01 * np.abs(before).max()


def test_large_kernels_in_8_bits() -> None:
    opset = openvino.opset13
    rng = np.random.default_rng(2)
    image = opset.parameter((1, 40, 4, 4), np.float32, name="image")
    sizes = {"large": (50, 40, 1, 1), "grouped": (50, 1, 1, 7, 7), "ignored": (60, 50, 1, 1), "small": (8, 60, 1, 1)}
    kernels = {name: rng.standard_normal(size).astype(np.float32) for name, size in sizes.items()}
    kernels["large"][3] = 0  # a channel without a scale
    x = image
    for name, kernel in kernels.items():
        if name == "grouped":
            x = opset.group_convolution(x, opset.constant(kernel), [1, 1], [3, 3], [3, 3], [1, 1], name=name)
        else:
            x = opset.convolution(x, opset.constant(kernel), [1, 1], [0, 0], [0, 0], [1, 1], name=name)
    model = openvino.Model([x], [image], "four")
    store_kernels_in_8_bits(model, {"ignored"})
    sources = {
        node.get_friendly_name(): node.input_value(1).get_node()
        for node in model.get_ordered_ops()
        if node.get_friendly_name() in sizes
    }
    assert {name: source.get_type_name() for name, source in sources.items()} == {
        "large": "Divide",
        "grouped": "Divide",
        "ignored": "Constant",
        "small": "Constant",
    }
    for name in ("large", "grouped"):
        integers, steps = (sources[name].input_value(place).get_node() for place in (0, 1))
        stored = integers.input_value(0).get_node()
        assert stored.get_element_type() == openvino.Type.i8
        channel = np.abs(kernels[name]).reshape(50, -1).max(axis=1).reshape(50, *[1] * (kernels[name].ndim - 1))
        restored = stored.get_data() / steps.get_data()
        assert np.abs(restored - kernels[name]).max() <= (channel / 254).max() * 1.001
        assert np.isfinite(restored).all()
    pixels = rng.standard_normal((1, 40, 4, 4)).astype(np.float32)
    assert np.isfinite(openvino_core().compile_model(model, "CPU")(pixels)[0]).all()


def test_stored_kernels_and_shared_constants_cost_no_time(tmp_path: Path) -> None:
    """What OpenVINO runs are convolutions and nothing else: kernels are restored, and biases joined, at loading."""
    opset = openvino.opset13
    rng = np.random.default_rng(3)
    image = opset.parameter((1, 40, 16, 16), np.float32, name="image")
    bias = np.ones((1, 64, 1, 1), np.float32)
    x = image
    for channels in (40, 64, 64):
        kernel = opset.constant(rng.standard_normal((64, channels, 1, 1)).astype(np.float32))
        x = opset.relu(opset.add(opset.convolution(x, kernel, [1, 1], [0, 0], [0, 0], [1, 1]), opset.constant(bias)))
    model = openvino.Model([x], [image], "three")
    store_kernels_in_8_bits(model, ())
    save_compact(model, tmp_path / "model.xml")
    compiled = openvino_core().compile_model(tmp_path / "model.xml", "CPU")
    running = [node.get_rt_info()["layerType"].astype(str) for node in compiled.get_runtime_model().get_ops()]
    computed = [kind for kind in running if kind not in ("Input", "Output", "Const", "Reorder", "Reshape")]
    assert computed == ["Convolution"] * 3
