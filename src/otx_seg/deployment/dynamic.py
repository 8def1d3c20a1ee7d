"""Exported models with a dynamic batch or image size, and a check that their graphs support it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

from otx_seg.deployment.agreement import ROUNDING, agreement, drawn_images
from otx_seg.errors import OtxError, UsageError
from otx_seg.inference.torch_predictor import TorchPredictor
from otx_seg.runtime.openvino_core import openvino_core
from otx_seg.runtime.openvino_predictor import read_ir
from otx_seg.runtime.predictor import AlteredPredictor, Answer

if TYPE_CHECKING:
    from torch import Tensor

Dynamic = Literal["batch", "size", "both"]
"""What a graph leaves open: how many images it takes at once, their height and width, or both."""

_BATCH, _SIZE = {0: "batch"}, {2: "height", 3: "width"}
_OPEN: dict[Dynamic | None, dict[int, str]] = {None: {}, "batch": _BATCH, "size": _SIZE, "both": _BATCH | _SIZE}

_OTHER_SIZES = ((64, 96), (100, 75))  # (height, width); the second is not a multiple of the strides


def open_axes(dynamic: Dynamic | None, masks: bool = False) -> dict[int, str]:
    """The axes of (B, C, H, W), or of masks (B, H, W), that are left open, each with its name.

    Raises:
        UsageError: `dynamic` is something else.
    """
    if dynamic not in _OPEN:
        raise UsageError(f"dynamic={dynamic!r}: a model can leave open its batch, its size, or both")
    return {axis - 1 if masks and axis else axis: name for axis, name in _OPEN[dynamic].items()}


def check_dynamic(
    network: TorchPredictor, model: Path, dynamic: Dynamic, required: float, rounding: float = ROUNDING
) -> None:
    """Run a graph on two images at once, and at several sizes, as far as they are dynamic; compare with its network.

    Args:
        model: the ``.xml`` or ``.onnx`` of the graph.
        required, rounding: share of the pixels that have to agree, and how exactly, see `agreement`.

    Raises:
        OtxError: the graph fails at one of them, or says something else than the network.
    """
    run = _raw(model)
    axes = open_axes(dynamic)

    def answer(image: NDArray[np.uint8] | Tensor) -> Answer:
        plain = np.asarray(image)
        batch = np.concatenate((255 - plain, plain)) if 0 in axes else plain
        found = run(batch.astype(np.float32))
        per_label = () if found.dtype == np.uint8 else (len(network.labels),)
        if found.shape != (len(batch), *per_label, *batch.shape[2:]):
            raise RuntimeError(f"it gives {found.shape}")
        return found[-1:]

    for size in (network.input_size, *_OTHER_SIZES) if 2 in axes else (network.input_size,):
        original = TorchPredictor(network.network, network.labels, size)
        batch = 2 if 0 in axes else 1
        refused = f"this network leaves nothing open (dynamic={dynamic}): given {(batch, 3, *size)}, its graph"
        try:
            share = agreement(original, AlteredPredictor(original, answer), drawn_images(size), rounding)
        except (RuntimeError, Fail, InvalidArgument, RuntimeException) as error:
            raise OtxError(f"{refused} fails ({str(error).strip().splitlines()[-1]})") from error
        if share < required:
            raise OtxError(
                f"{refused} agrees with the network on {share:.3%} of the pixels only, {required:.1%} are required"
            )


def _raw(model: Path) -> Callable[[NDArray[np.float32]], Answer]:
    """The bare graph, (B, 3, H, W) -> probabilities (B, K, H, W) or masks (B, H, W)."""
    if model.suffix == ".xml":
        compiled = openvino_core().compile_model(read_ir(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        return lambda images: np.array(compiled(images)[0])
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: np.asarray(session.run(None, {name: images})[0])
