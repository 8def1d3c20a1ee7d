"""An ONNX model as a `Predictor`, run by ONNX Runtime."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as faults

from otx_seg.errors import UsageError
from otx_seg.labels import Labels
from otx_seg.runtime.graph_shape import (
    Port,
    check_constants,
    check_graph,
    check_mask,
    check_mask_graph,
    check_probabilities,
    closed,
    first_line,
    size_to_run_at,
)
from otx_seg.runtime.model_info import SECTION, declared_input_size, gives_masks, read_model_info
from otx_seg.runtime.predictor import (
    CLASS_ACTIVATION,
    FEATURE_MAP,
    FEATURE_VECTOR,
    Activations,
    check_features,
    no_probabilities,
)
from otx_seg.runtime.written_digest import DIGEST, check_digest

if TYPE_CHECKING:
    from torch import Tensor

_FAULTS = (
    RuntimeError,
    UnicodeDecodeError,
    faults.Fail,
    faults.InvalidArgument,
    faults.InvalidGraph,
    faults.InvalidProtobuf,
    faults.NoModel,
    faults.NotImplemented,
    faults.RuntimeException,
)
"""What ONNX Runtime raises for models that it cannot read or run."""

_NUMPY = {"tensor(float)": "float32", "tensor(uint8)": "uint8", "tensor(float16)": "float16", "tensor(int64)": "int64"}


class OnnxPredictor:
    """Runs an ONNX model on the CPU, image by image; one that leaves its size open at the size that it names."""

    kind: Literal["onnx"] = "onnx"

    def __init__(self, path: Path, threads: int = 0, labels: Labels | None = None) -> None:
        """
        Args:
            path: a model written by this toolkit's `export` or like those, see `check_graph`.
            threads: how many work on the same image; 0: one for each core.
            labels: of a model of another tool that carries none.

        Raises:
            UsageError: no such model, it does something else than giving label probabilities for an image, or there
                are no labels or other ones than `labels`.
        """
        self._path, self._threads = path, threads
        check_digest(path)
        try:
            self._session = self._opened(path)
            metadata = self._session.get_modelmeta().custom_metadata_map
        except _FAULTS as error:
            reason = first_line(error).split(" : ")[-1]
            raise UsageError(f"{path}: is not an ONNX model, or is damaged (ONNX Runtime: {reason})") from error

        def entry(name: str) -> str | None:
            found: str | None = metadata.get(f"{SECTION} {name}")
            return found

        inputs = self._session.get_inputs()
        outputs = [port for port in self._session.get_outputs() if port.name != FEATURE_VECTOR]
        size = size_to_run_at(_ports(inputs), declared_input_size(entry, path), path)
        closed_inputs, closed_outputs = ([closed(port, size) for port in _ports(ports)] for ports in (inputs, outputs))
        self.gives_masks, classes = gives_masks(entry, path), None
        if self.gives_masks:
            self.input_size = check_mask_graph(closed_inputs, closed_outputs, path)
        else:
            self.input_size, classes = check_graph(closed_inputs, closed_outputs, path)
        self._input_name, self._output_name = inputs[0].name, outputs[0].name
        info = read_model_info(entry, path, classes, labels)
        self.labels = info.labels
        self.template = info.template
        self.post_processing = info.post_processing
        if entry(DIGEST) is None:
            check_constants(_constants(path), path)
            if self.gives_masks:
                check_mask(self.masks, self.input_size, len(self.labels), path)
            else:
                check_probabilities(self.probabilities, self.input_size, path)

    def probabilities(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.float32]:
        """See `Predictor.probabilities`."""
        if self.gives_masks:
            raise no_probabilities(self._path)
        return self._answers(images)

    def masks(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.uint8]:
        """See `Predictor.masks`."""
        return self._answers(images)

    def _answers(self, images: NDArray[np.uint8] | Tensor) -> NDArray[Any]:
        batch = np.asarray(images, dtype=np.float32)
        try:
            results = [self._session.run([self._output_name], {self._input_name: image[None]})[0] for image in batch]
        except _FAULTS as error:
            raise UsageError(f"{self._path}: ONNX Runtime cannot run it ({first_line(error)})") from error
        return results[0] if len(results) == 1 else np.concatenate(results)

    def activations(self, image: NDArray[np.uint8]) -> Activations:
        """See `ExplainablePredictor.activations`."""
        if self.gives_masks:
            raise no_probabilities(self._path)
        names = [self._output_name, FEATURE_MAP, CLASS_ACTIVATION]
        found = self._session_with_activations.run(names, {self._input_name: image.astype(np.float32)})
        return Activations(*(values[0] for values in found))

    @functools.cached_property
    def _session_with_activations(self) -> onnxruntime.InferenceSession:
        # Here, since it takes memory that running a model does not, and `otx benchmark` measures that.
        import onnx

        model = onnx.load(self._path)
        names = [name for node in model.graph.node for name in node.output]
        check_features(names, self.template is not None, self._path)
        inner = [onnx.helper.make_empty_tensor_value_info(name) for name in (FEATURE_MAP, CLASS_ACTIVATION)]
        model.graph.output.extend(inner)
        return self._opened(model.SerializeToString())

    def _opened(self, model: Path | bytes) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _constants(path: Path) -> Iterator[tuple[str, NDArray[np.floating]]]:
    import onnx

    graph = onnx.load(path).graph
    inline = [attribute.t for node in graph.node if node.op_type == "Constant" for attribute in node.attribute]
    for tensor in (*graph.initializer, *inline):
        values = onnx.numpy_helper.to_array(tensor) if tensor.data_type else np.zeros(0)
        if np.issubdtype(values.dtype, np.floating):
            yield tensor.name, values


def _ports(ports: Sequence[Any]) -> list[Port]:
    """What ONNX Runtime says of inputs or outputs: texts stand for sides that are not fixed, no sides for any shape."""
    return [
        Port(
            tuple(side if isinstance(side, int) else None for side in port.shape) or None,
            _NUMPY.get(port.type, port.type),
        )
        for port in ports
    ]
