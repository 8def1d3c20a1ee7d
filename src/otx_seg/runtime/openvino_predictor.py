"""An OpenVINO IR as a `Predictor`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import UsageError
from otx_seg.runtime.graph_shape import check_shapes
from otx_seg.runtime.model_info import SECTION, ModelInfo, read_model_info
from otx_seg.runtime.openvino_core import openvino_core

if TYPE_CHECKING:
    from torch import Tensor


def read_ir(path: Path) -> Any:
    """The ``openvino.Model`` of an IR.

    Raises:
        UsageError: the ``.bin`` is missing beside the ``.xml``, or the files are no IR.
    """
    binary = path.with_suffix(".bin")
    if not binary.is_file():
        raise UsageError(f"{binary}: missing; an IR is two files, keep it beside {path.name}")
    with path.open("rb") as file:
        # OpenVINO tries any other file as a model of every framework it knows, and prints what each makes of it.
        looks_like_ir = b"<net" in file.read(1000)
    if not looks_like_ir:
        raise UsageError(f"{path}: is no OpenVINO model")
    try:
        return openvino_core().read_model(path)
    except RuntimeError as error:
        raise UsageError(f"{path}: is damaged, or does not fit its {binary.name}") from error


class OpenVinoPredictor:
    """Runs an IR, image by image, every core working on the same image.

    A graph that leaves its batch or size open is fixed to one image of the size that it names.

    Attributes:
        device: ``CPU`` or another device of OpenVINO's.
    """

    kind: Literal["openvino"] = "openvino"

    def __init__(
        self,
        path: Path,
        device: str = "CPU",
        *,
        properties: Mapping[str, Any] | None = None,
        model: Any = None,
        entries: Mapping[str, str] | None = None,
    ) -> None:
        """
        Args:
            path: an IR written by this toolkit's `export` or `quantize`.
            device: where it runs.
            properties: of that device, for this model; None: as OpenVINO chooses, but computing in 32 bits.
            model: the ``openvino.Model`` of `path`, if it has been read already; may be changed.
            entries: of its `model_info`; they go before those that it carries.

        Raises:
            UsageError: no such model or device, another shape than an image to label probabilities, or no labels.
        """
        self._model = read_ir(path) if model is None else model
        self.device = _checked(device)
        self._properties = dict(properties or {})
        info = _info(self._model, entries or {}, path)
        self.labels = info.labels
        self.template = info.template
        self.post_processing = info.post_processing
        inputs, outputs = ([_shape(port) for port in ports] for ports in (self._model.inputs, self._model.outputs))
        self.input_size = check_shapes(inputs, outputs, len(self.labels), info.input_size, path)
        if self._model.is_dynamic():
            _fix_shape(self._model, self.input_size, path)

    @functools.cached_property
    def _compiled(self) -> Any:
        return self._compile("LATENCY")

    @functools.cached_property
    def compiled_for_throughput(self) -> Any:
        """The ``openvino.CompiledModel`` with as many requests at a time as give the most images per second."""
        return self._compile("THROUGHPUT")

    def _compile(self, hint: str) -> Any:
        # Without f32 OpenVINO computes in bfloat16 where the processor can: scores would depend on the machine.
        settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": hint, **self._properties}
        return openvino_core().compile_model(self._model, self.device, settings)

    def probabilities(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.float32]:
        """See `Predictor.probabilities`."""
        # Copied, since the next call overwrites them.
        results = [self.borrowed_probabilities(image[None]).copy() for image in np.asarray(images)]
        return results[0] if len(results) == 1 else np.concatenate(results)

    def borrowed_probabilities(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`probabilities` of one image, uint8 (1, 3, h, w), in OpenVINO's own memory: the next call overwrites them."""
        result: NDArray[np.float32] = self._compiled(image.astype(np.float32))[0]
        return result


def _shape(port: Any) -> list[int | None]:
    """The axes' lengths, None where open; nothing where even the number of axes is."""
    shape = port.partial_shape
    return [] if shape.rank.is_dynamic else [None if side.is_dynamic else side.get_length() for side in shape]


def _fix_shape(model: Any, size: tuple[int, int], path: Path) -> None:
    try:
        model.reshape([1, 3, *size])
    except RuntimeError as error:
        raise UsageError(f"{path}: cannot be run on one image of {size[0]} x {size[1]} pixels, as it says") from error


def _info(model: Any, entries: Mapping[str, str], path: Path) -> ModelInfo:
    def entry(name: str) -> str | None:
        if name in entries:
            return entries[name]
        place = [SECTION, name]
        return str(model.get_rt_info(place).astype(str)) if model.has_rt_info(place) else None

    return read_model_info(entry, path)


def _checked(device: str) -> str:
    if device == "CPU":  # asking OpenVINO for all devices takes a moment
        return device
    available = openvino_core().available_devices
    if device.split(".")[0] not in {name.split(".")[0] for name in available}:
        raise UsageError(f"{device}: OpenVINO finds no such device here; it finds {', '.join(available)}")
    return device
