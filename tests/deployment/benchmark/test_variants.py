"""What a file is run as."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino
import pytest

from otx_seg.deployment.benchmark.variants import processor_name, stored_precision, variants_of
from otx_seg.errors import UsageError


def quantise_input(model: openvino.Model) -> None:
    opset = openvino.opset13
    image = model.inputs[0]
    users = list(image.get_target_inputs())
    low, high = (opset.constant(np.float32(value)) for value in (0, 255))
    quantised = opset.fake_quantize(image, low, high, low, high, 256)
    for user in users:
        user.replace_source_output(quantised.output(0))


def test_how_an_ir_is_stored(color_ir: Path, resaved: Callable[..., Path]) -> None:
    assert stored_precision(color_ir) == "FP32"
    assert stored_precision(resaved("half", half=True)) == "FP16"
    assert stored_precision(resaved("quantised", quantise_input)) == "INT8"


def test_each_file_in_all_its_ways(color_ir: Path, resaved: Callable[..., Path], tmp_path: Path) -> None:
    weights, graph = tmp_path / "weights.pth", tmp_path / "model.onnx"
    for path in (weights, graph):
        path.touch()
    files = [weights, graph, color_ir, resaved("half", half=True), resaved("quantised", quantise_input)]
    found = [f"{variant.runtime} {variant.precision}" for variant in variants_of(files, with_bf16=True)]
    assert found == [
        *("PyTorch FP32", "PyTorch bf16", "ONNX Runtime FP32", "OpenVINO FP32", "OpenVINO bf16"),
        *("OpenVINO FP16", "OpenVINO FP16 in bf16", "OpenVINO INT8"),
    ]
    without = variants_of(files, with_bf16=False)
    assert [variant.weights for variant in without] == files
    assert {variant.arithmetic for variant in without} == {"FP32"}


def test_the_same_file_twice(color_ir: Path) -> None:
    again = color_ir.parent / ".." / color_ir.parent.name / color_ir.name
    with pytest.raises(UsageError, match=r"openvino\.xml: is given twice"):
        variants_of([color_ir, again], with_bf16=False)


def test_the_processor() -> None:
    assert processor_name()
