"""The graph of `color_graph` as this toolkit writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from color_graph import LABELS, color_graph, saved, write_color_data

from otx_seg.datasets import Subset, open_folder
from otx_seg.runtime.masks import PLAIN_ARGMAX
from otx_seg.runtime.model_info import ModelInfo
from otx_seg.runtime.openvino_core import signal_stack_kept

ENTRIES = ModelInfo(LABELS, None, PLAIN_ARGMAX).entries()


@pytest.fixture(autouse=True)
def _signal_stack() -> Iterator[None]:
    """Model API and NNCF have an OpenVINO of their own."""
    with signal_stack_kept():
        yield


@pytest.fixture
def color_ir(tmp_path: Path) -> Path:
    """`color_graph` as a file."""
    return saved(color_graph(), tmp_path / "exported" / "openvino.xml", **ENTRIES)


@pytest.fixture
def delicate_ir(tmp_path: Path) -> Path:
    """`color_graph` with a channel for the sake of which plain quantisation loses all others, as a file."""
    return saved(color_graph(outlier=5.0), tmp_path / "delicate" / "openvino.xml", **ENTRIES)


@pytest.fixture
def color_data(tmp_path: Path) -> Subset:
    """Images on which `color_graph` is right."""
    return open_folder(write_color_data(tmp_path / "data"))["default"]
