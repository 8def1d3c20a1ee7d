"""An OpenVINO IR as a `Predictor`."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import UsageError
from otx_seg.labels import Labels
from otx_seg.runtime.graph_shape import (
    Port,
    check_constants,
    check_graph,
    check_mask,
    check_mask_graph,
    check_probabilities,
    size_to_run_at,
)
from otx_seg.runtime.model_info import SECTION, declared_input_size, gives_masks, read_model_info
from otx_seg.runtime.openvino_core import openvino_core
from otx_seg.runtime.predictor import (
    CLASS_ACTIVATION,
    FEATURE_MAP,
    FEATURE_VECTOR,
    Activations,
    Answer,
    check_features,
    no_probabilities,
)
from otx_seg.runtime.written_digest import DIGEST, check_digest

if TYPE_CHECKING:
    from torch import Tensor


_BEGINNING = re.compile(rb'\s*(<\?xml[^<>]*\?>\s*)?<net\s[^<>]*\bversion="1\d"')
"""Of an IR; no document type, whose entities could stand for anything."""

_BATCH_AND_SIZE = (slice(0, 1), slice(2, 4))  # of an image's shape


def read_ir(path: Path) -> Any:
    """The ``openvino.Model`` of an IR.

    Raises:
        UsageError: the ``.bin`` is missing beside the ``.xml``, or the files are no IR.
    """
    binary = path.with_suffix(".bin")
    if not binary.is_file():
        raise UsageError(f"{binary}: missing; an IR is two files, keep it beside {path.name}")
    xml = path.read_bytes()
    check_digest(path, binary, content=xml)
    return parse_ir(xml, path, path)


def parse_ir(xml: bytes, path: Path, *files: Any) -> Any:
    """As `read_ir`, of an IR whose digest has been compared.

    Args:
        path: of its ``.xml``, for messages.
        files: what OpenVINO is to read, the ``.xml``, or the content of both.
    """
    # OpenVINO tries any other file as a model of every framework it knows, and prints what each makes of it.
    if _BEGINNING.match(xml) is None:
        raise UsageError(f"{path}: is not an OpenVINO model")
    try:
        xml.decode()  # as its names are, whenever one is asked for
        return openvino_core().read_model(*files)
    except (RuntimeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is damaged, or does not fit its {path.stem}.bin") from error


class OpenVinoPredictor:
    """Runs an IR, image by image, every core working on the same image.

    A graph that leaves its batch or size open is fixed to one image of the size that it names.

    Attributes:
        device: ``CPU`` or another device of OpenVINO's.
        open_batch, open_size: whether the graph itself takes any number of images, and images of any size.
    """

    kind: Literal["openvino"] = "openvino"

    def __init__(
        self,
        path: Path,
        device: str = "CPU",
        *,
        properties: Mapping[str, Any] | None = None,
        model: Any = None,
        entries: Mapping[str, str | None] | None = None,
        labels: Labels | None = None,
    ) -> None:
        """
        Args:
            path: an IR, written by this toolkit's `export` or `quantize` or like those, see `check_graph`.
            device: where it runs.
            properties: of that device, for this model; None: as OpenVINO chooses, but computing in 32 bits.
            model: the ``openvino.Model`` of `path`, if it has been read already; it is changed: it loses its
                feature vector, if any, so that nobody waits for that, and axes that it leaves open get lengths.
            entries: of its `model_info`; they go before those that it carries. None: there is no such entry.
            labels: of a model of another tool that carries none.

        Raises:
            UsageError: no such model or device, it does something else than giving label probabilities for an image,
                or there are no labels or other ones than `labels`.
        """
        self._path = path
        self._model = read_ir(path) if model is None else model
        _leave_out_feature_vector(self._model)
        self.device = _checked(device)
        self._properties = dict(properties or {})
        entry = functools.partial(_entry, self._model, entries or {})
        taken = _ports(self._model.inputs)
        size = size_to_run_at(taken, declared_input_size(entry, path), path)
        shape = taken[0].shape if size is not None else None
        self.open_batch, self.open_size = (shape is not None and None in shape[part] for part in _BATCH_AND_SIZE)
        if size is not None and self._model.is_dynamic():
            _fix_shape(self._model, size, path)
        ports = (_ports(self._model.inputs), _ports(self._model.outputs))
        self.gives_masks, classes = gives_masks(entry, path), None
        if self.gives_masks:
            self.input_size = check_mask_graph(*ports, path)
        else:
            self.input_size, classes = check_graph(*ports, path)
        info = read_model_info(entry, path, classes, labels)
        self.labels = info.labels
        self.template = info.template
        self.post_processing = info.post_processing
        if entry(DIGEST) is None:
            check_constants(_constants(self._model), path)
            if self.gives_masks:
                check_mask(self.masks, self.input_size, len(self.labels), path)
            else:
                check_probabilities(self.probabilities, self.input_size, path)

    @functools.cached_property
    def _compiled(self) -> Any:
        return self._compile(self._model, "LATENCY")

    @functools.cached_property
    def compiled_for_throughput(self) -> Any:
        """The ``openvino.CompiledModel`` with as many requests at a time as give the most images per second."""
        return self._compile(self._model, "THROUGHPUT")

    @functools.cached_property
    def _compiled_with_activations(self) -> Any:
        names = {name for node in self._model.get_ops() for port in node.outputs() for name in port.get_names()}
        check_features(names, self.template is not None, self._path)
        model = self._model.clone()
        model.add_outputs([FEATURE_MAP, CLASS_ACTIVATION])
        return self._compile(model, "LATENCY")

    def _compile(self, model: Any, hint: str) -> Any:
        # Without f32 OpenVINO computes in bfloat16 where the processor can: scores would depend on the machine.
        settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": hint, **self._properties}
        return openvino_core().compile_model(model, self.device, settings)

    def probabilities(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.float32]:
        """See `Predictor.probabilities`."""
        if self.gives_masks:
            raise no_probabilities(self._path)
        return self._answers(images)

    def masks(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.uint8]:
        """See `Predictor.masks`."""
        return self._answers(images)

    def _answers(self, images: NDArray[np.uint8] | Tensor) -> NDArray[Any]:
        # Copied, since the next call overwrites them.
        results = [self.borrowed_answer(image[None]).copy() for image in np.asarray(images)]
        return results[0] if len(results) == 1 else np.concatenate(results)

    def borrowed_answer(self, image: NDArray[np.uint8]) -> Answer:
        """`answer_of` one image, uint8 (1, 3, h, w), in OpenVINO's own memory: the next call overwrites it."""
        result: Answer = self._compiled(image.astype(np.float32))[0]
        return result

    def activations(self, image: NDArray[np.uint8]) -> Activations:
        """See `ExplainablePredictor.activations`."""
        if self.gives_masks:
            raise no_probabilities(self._path)
        found = self._compiled_with_activations(image.astype(np.float32))
        return Activations(*(found[name][0].copy() for name in (0, FEATURE_MAP, CLASS_ACTIVATION)))


def _fix_shape(model: Any, size: tuple[int, int], path: Path) -> None:
    try:
        model.reshape([1, 3, *size])
    except RuntimeError as error:
        raise UsageError(f"{path}: cannot be run on one image of {size[0]} x {size[1]} pixels, as it says") from error


def _leave_out_feature_vector(model: Any) -> None:
    for output in model.outputs:
        if FEATURE_VECTOR in output.get_names():
            model.remove_result(output.get_node())


def _constants(model: Any) -> Iterator[tuple[str, NDArray[np.floating]]]:
    for node in model.get_ops():
        if node.get_type_name() == "Constant" and node.get_element_type().is_real():
            yield node.get_friendly_name(), node.get_data(dtype=np.float32)


def _entry(model: Any, entries: Mapping[str, str | None], name: str) -> str | None:
    """The text of an entry of a model's `model_info`."""
    if name in entries:
        return entries[name]
    place = [SECTION, name]
    return str(model.get_rt_info(place).astype(str)) if model.has_rt_info(place) else None


def _ports(ports: Sequence[Any]) -> list[Port]:
    return [Port(_shape(port.partial_shape), np.dtype(port.element_type.to_dtype()).name) for port in ports]


def _shape(shape: Any) -> tuple[int | None, ...] | None:
    if shape.rank.is_dynamic:
        return None
    return tuple(side.get_length() if side.is_static else None for side in shape)


def _checked(device: str) -> str:
    if device == "CPU":  # asking OpenVINO for all devices takes a moment
        return device
    available = openvino_core().available_devices
    if device.split(".")[0] not in {name.split(".")[0] for name in available}:
        raise UsageError(f"{device}: OpenVINO finds no such device here; it finds {', '.join(available)}")
    return device
