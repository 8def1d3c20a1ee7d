"""An OpenVINO IR as a `Predictor`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import UsageError
from otx_seg.runtime.graph_shape import check_shapes
from otx_seg.runtime.model_info import SECTION, read_model_info
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
    """Runs an IR on the CPU, image by image, every core working on the same image."""

    kind: Literal["openvino"] = "openvino"

    def __init__(self, path: Path, properties: Mapping[str, Any] | None = None) -> None:
        """
        Args:
            path: an IR written by this toolkit's `export` or `quantize`.
            properties: of OpenVINO's CPU device, for this model; None: as OpenVINO chooses, but computing in 32 bits.

        Raises:
            UsageError: no such model, another shape than an image to label probabilities, or no labels.
        """
        model = read_ir(path)

        def entry(name: str) -> str | None:
            place = [SECTION, name]
            return str(model.get_rt_info(place).astype(str)) if model.has_rt_info(place) else None

        info = read_model_info(entry, path)
        self.labels = info.labels
        self.template = info.template
        self.post_processing = info.post_processing
        inputs = [list(port.partial_shape.get_min_shape()) for port in model.inputs if port.partial_shape.is_static]
        outputs = [list(port.partial_shape.get_min_shape()) for port in model.outputs if port.partial_shape.is_static]
        self.input_size = check_shapes(inputs, outputs, len(self.labels), path)
        # Without this OpenVINO computes in bfloat16 where the processor can: scores would depend on the machine.
        chosen = {"INFERENCE_PRECISION_HINT": "f32", **(properties or {})}
        self._compiled = openvino_core().compile_model(model, "CPU", chosen)

    def probabilities(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.float32]:
        """See `Predictor.probabilities`."""
        # Copied, since the next call overwrites them.
        results = [self.borrowed_probabilities(image[None]).copy() for image in np.asarray(images)]
        return results[0] if len(results) == 1 else np.concatenate(results)

    def borrowed_probabilities(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`probabilities` of one image, uint8 (1, 3, h, w), in OpenVINO's own memory: the next call overwrites them."""
        result: NDArray[np.float32] = self._compiled(image.astype(np.float32))[0]
        return result
