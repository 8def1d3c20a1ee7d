"""Each program that runs models: how it is made ready, opens a model for one image at a time, and works on many.

A backend is used in a process of its own, see `worker`. Nothing of another program is imported there, so that its
memory is that of one program.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from otx_seg.deployment.benchmark.variant import Arithmetic, Variant
from otx_seg.runtime.predictor import AlteredPredictor, Kind, Predictor, answer_of

if TYPE_CHECKING:
    from torch import Tensor

Throughput = Callable[[NDArray[np.uint8], float], float]
"""Works on copies of one image, uint8 (1, 3, h, w), for about so many seconds; gives images per second."""


@dataclass(frozen=True)
class Backend:
    """A program that runs models, as functions.

    Attributes:
        prepare: import the program and set its number of threads.
        open: make a model ready for one image at a time, all threads working on it.
        open_throughput: make the same model ready for many images at once.
    """

    prepare: Callable[[int], None]
    open: Callable[[Variant, int], Predictor]
    open_throughput: Callable[[Variant, int, Predictor], Throughput]


# ---------------------------------------------------------------------- PyTorch


def _prepare_torch(threads: int) -> None:
    import torch

    import otx_seg.inference.torch_predictor  # noqa: F401  mmseg with it, which takes seconds

    torch.set_num_threads(threads)


def _open_torch(variant: Variant, threads: int) -> Predictor:
    from otx_seg.inference.predictor import load_predictor

    predictor = load_predictor(variant.weights, device="cpu", labels=variant.given_labels)
    return predictor if variant.arithmetic == "FP32" else _in_bfloat16(predictor)


def _torch_throughput(variant: Variant, threads: int, predictor: Predictor) -> Throughput:
    import torch

    # The number is one of the thread that sets it.
    return _side_by_side(predictor, threads, lambda: torch.set_num_threads(1))


def _in_bfloat16(predictor: Predictor) -> Predictor:
    """The same in PyTorch with convolutions and matrix products computed in bfloat16."""
    import torch

    def probabilities(images: NDArray[np.uint8] | Tensor) -> NDArray[np.float32]:
        with torch.autocast("cpu", torch.bfloat16):
            return predictor.probabilities(images)

    return AlteredPredictor(predictor, probabilities)


# ---------------------------------------------------------------------- ONNX Runtime


def _prepare_onnx(threads: int) -> None:
    import otx_seg.inference.onnx_predictor  # noqa: F401


def _open_onnx(variant: Variant, threads: int) -> Predictor:
    from otx_seg.inference.onnx_predictor import OnnxPredictor

    return OnnxPredictor(variant.weights, threads, variant.given_labels)


def _onnx_throughput(variant: Variant, threads: int, predictor: Predictor) -> Throughput:
    return _side_by_side(_open_onnx(variant, 1), threads, lambda: None)


# ---------------------------------------------------------------------- OpenVINO

_HINTS: dict[Arithmetic, str] = {"FP32": "f32", "bf16": "bf16"}


def _prepare_openvino(threads: int) -> None:
    from otx_seg.runtime.openvino_core import openvino_core

    openvino_core()


def _open_openvino(variant: Variant, threads: int) -> Predictor:
    from otx_seg.runtime.openvino_predictor import OpenVinoPredictor

    properties = {"INFERENCE_PRECISION_HINT": _HINTS[variant.arithmetic], "INFERENCE_NUM_THREADS": threads}
    return OpenVinoPredictor(variant.weights, properties=properties, labels=variant.given_labels)


def _openvino_throughput(variant: Variant, threads: int, predictor: Predictor) -> Throughput:
    import openvino

    from otx_seg.runtime.openvino_predictor import OpenVinoPredictor

    assert isinstance(predictor, OpenVinoPredictor)
    queue = openvino.AsyncInferQueue(predictor.compiled_for_throughput)  # as many requests as OpenVINO finds best

    def throughput(image: NDArray[np.uint8], seconds: float) -> float:
        began, images = time.perf_counter(), 0
        # While the last images are worked on, some requests are idle: with a few of each, that counts little.
        while images < _LEAST_IMAGES * len(queue) or time.perf_counter() - began < seconds:
            queue.start_async({0: image.astype(np.float32)})
            images += 1
        queue.wait_all()
        return images / (time.perf_counter() - began)

    return throughput


_LEAST_IMAGES = 4


def _side_by_side(predictor: Predictor, threads: int, prepare: Callable[[], object]) -> Throughput:
    """Every thread works on an image of its own, in a predictor that uses one thread; `prepare` is called in each."""
    pool = ThreadPoolExecutor(threads, initializer=prepare)

    def throughput(image: NDArray[np.uint8], seconds: float) -> float:
        def one_thread() -> float:
            began, images = time.perf_counter(), 0
            while not images or time.perf_counter() - began < seconds:
                answer_of(predictor, image)
                images += 1
            return images / (time.perf_counter() - began)

        return sum(future.result() for future in [pool.submit(one_thread) for _ in range(threads)])

    return throughput


BACKENDS: dict[Kind, Backend] = {
    "torch": Backend(_prepare_torch, _open_torch, _torch_throughput),
    "onnx": Backend(_prepare_onnx, _open_onnx, _onnx_throughput),
    "openvino": Backend(_prepare_openvino, _open_openvino, _openvino_throughput),
}
