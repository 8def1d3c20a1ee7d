"""The three programs do what the table says of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from otx_seg.deployment.benchmark.backends import BACKENDS
from otx_seg.deployment.benchmark.variant import Arithmetic, Variant
from otx_seg.deployment.benchmark.variants import computes_in_bf16
from otx_seg.inference.latency import bare_call
from otx_seg.inference.predictor import kind_of, load_predictor

IMAGE = np.random.default_rng(1).integers(0, 256, (1, 3, 64, 64), np.uint8)


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def opened(path: Path, arithmetic: Arithmetic = "FP32") -> np.ndarray:
    """The probabilities that a backend gives."""
    variant = Variant(path, kind_of(path), "FP32", arithmetic)
    backend = BACKENDS[variant.kind]
    backend.prepare(1)
    predictor = backend.open(variant, 1)
    found = predictor.probabilities(IMAGE)
    np.testing.assert_array_equal(bare_call(predictor)(IMAGE), found)
    return found


@pytest.mark.parametrize("model", ["tiny_weights", "tiny_onnx", "tiny_ir"])
def test_the_network_as_it_is(model: str, tiny_weights: Path, request: pytest.FixtureRequest) -> None:
    found = opened(request.getfixturevalue(model))
    expected = load_predictor(tiny_weights, device="cpu").probabilities(IMAGE)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("model", ["tiny_weights", "tiny_ir"])
def test_bf16_is_close_and_not_the_same(model: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(model)
    if path.suffix == ".xml" and not computes_in_bf16():
        pytest.skip("OpenVINO computes in bfloat16 only where the processor does")
    difference = np.abs(opened(path) - opened(path, "bf16"))
    assert difference.max() > 1e-4
    assert difference.mean() < 0.05


@pytest.mark.parametrize("model", ["tiny_weights", "tiny_onnx", "tiny_ir"])
def test_many_images(model: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(model)
    variant = Variant(path, kind_of(path), "FP32", "FP32")
    backend = BACKENDS[variant.kind]
    throughput = backend.open_throughput(variant, 2, backend.open(variant, 2))
    assert throughput(IMAGE, 0.05) > 0


def test_torch_works_on_as_many_images_as_there_are_threads(tiny_weights: Path) -> None:
    used: list[tuple[int, int]] = []

    class Watched:
        """Notes the threads it is called in, and how many each may use."""

        gives_masks = False

        def probabilities(self, images: np.ndarray) -> None:
            used.append((threading.get_ident(), torch.get_num_threads()))
            gate.wait(timeout=60)

    gate = threading.Barrier(3)
    variant = Variant(tiny_weights, "torch", "FP32", "FP32")
    throughput = BACKENDS["torch"].open_throughput(variant, 3, Watched())  # type: ignore[arg-type]
    throughput(IMAGE, 0.0)
    assert len({thread for thread, _ in used}) == 3
    assert {threads for _, threads in used} == {1}
