"""What a model file can be run as, and on what processor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from otx_seg.deployment.benchmark.variant import Arithmetic, Stored, Variant
from otx_seg.errors import UsageError
from otx_seg.inference.predictor import kind_of
from otx_seg.labels import Labels
from otx_seg.runtime.openvino_core import openvino_core
from otx_seg.runtime.openvino_predictor import read_ir
from otx_seg.runtime.predictor import Kind


def variants_of(weights: Sequence[Path], with_bf16: bool, labels: Labels | None = None) -> list[Variant]:
    """Every way in which model files are compared, in the order of the files.

    A ``.pth`` and an IR that is not quantised compute in FP32 and in bf16, all else in FP32.

    Args:
        with_bf16: whether the processor computes in bfloat16; if not, it would only imitate it slowly.
        labels: of models of other tools that carry none.

    Raises:
        UsageError: a file is missing, of an unknown kind, given twice, or no IR.
    """
    seen: dict[Path, Path] = {}
    found: list[Variant] = []
    names = None if labels is None else labels.names
    for path in weights:
        kind = kind_of(path)
        if path.resolve() in seen:
            raise UsageError(f"{path}: is given twice; each model is compared once")
        seen[path.resolve()] = path
        stored = stored_precision(path) if kind == "openvino" else "FP32"
        found += [
            Variant(path, kind, stored, arithmetic, names) for arithmetic in _arithmetics(kind, stored, with_bf16)
        ]
    return found


def _arithmetics(kind: Kind, stored: Stored, with_bf16: bool) -> Iterator[Arithmetic]:
    yield "FP32"
    # ONNX Runtime has no switch for it.
    if with_bf16 and kind != "onnx" and stored != "INT8":
        yield "bf16"


def stored_precision(ir: Path) -> Stored:
    """How an IR's parameters are stored: in 8 bits, if it is quantised, else as most of them are.

    Raises:
        UsageError: the files are no IR.
    """
    elements: Counter[str] = Counter()
    for node in read_ir(ir).get_ops():
        if node.get_type_name() == "FakeQuantize":
            return "INT8"
        if node.get_type_name() == "Constant":
            elements[node.get_element_type().get_type_name()] += node.get_byte_size()
    return "FP16" if elements["f16"] > elements["f32"] else "FP32"


def computes_in_bf16() -> bool:
    """Whether this processor has instructions for bfloat16, as OpenVINO sees it."""
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def processor_name() -> str:
    """What the processor calls itself."""
    return str(openvino_core().get_property("CPU", "FULL_DEVICE_NAME")).strip()
