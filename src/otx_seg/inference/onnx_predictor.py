"""An ONNX model as a `Predictor`, run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf

from otx_seg.errors import UsageError
from otx_seg.runtime.graph_shape import check_shapes
from otx_seg.runtime.model_info import SECTION, read_model_info

if TYPE_CHECKING:
    from torch import Tensor


class OnnxPredictor:
    """Runs an ONNX model on the CPU, image by image; one that leaves its size open at the size that it names."""

    kind: Literal["onnx"] = "onnx"

    def __init__(self, path: Path, threads: int = 0) -> None:
        """
        Args:
            path: a model written by this toolkit's `export`.
            threads: how many work on the same image; 0: one for each core.

        Raises:
            UsageError: no such model, another shape than an image to label probabilities, or no labels.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except (Fail, InvalidGraph, InvalidProtobuf) as error:
            raise UsageError(f"{path}: is no ONNX model, or is damaged") from error
        metadata = self._session.get_modelmeta().custom_metadata_map
        info = read_model_info(lambda name: metadata.get(f"{SECTION} {name}"), path)
        self.labels = info.labels
        self.template = info.template
        self.post_processing = info.post_processing
        inputs, outputs = (
            # An open axis has a name in place of a length.
            [[side if isinstance(side, int) else None for side in port.shape] for port in ports]
            for ports in (self._session.get_inputs(), self._session.get_outputs())
        )
        self.input_size = check_shapes(inputs, outputs, len(self.labels), info.input_size, path)
        self._input_name = self._session.get_inputs()[0].name

    def probabilities(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.float32]:
        """See `Predictor.probabilities`."""
        batch = np.asarray(images, dtype=np.float32)
        results = [self._session.run(None, {self._input_name: image[None]})[0] for image in batch]
        return results[0] if len(results) == 1 else np.concatenate(results)
