"""Models small enough that a process of their own is quick."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import openvino
import pytest

from otx_seg.deployment.benchmark.variant import Variant


@pytest.fixture
def color_variant(color_ir: Path) -> Variant:
    """`color_ir` in 32 bits."""
    return Variant(color_ir, "openvino", "FP32", "FP32")


@pytest.fixture
def resaved(color_ir: Path) -> Callable[..., Path]:
    """Saves a changed copy of `color_ir` under another name."""

    def save(name: str, change: Callable[[openvino.Model], object] = lambda model: None, half: bool = False) -> Path:
        model = openvino.Core().read_model(color_ir)
        change(model)
        path = color_ir.parent / f"{name}.xml"
        openvino.save_model(model, path, compress_to_fp16=half)
        return path

    return save
