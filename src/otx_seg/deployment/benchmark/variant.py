"""One way to run a model file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from otx_seg.labels import Labels, labels_called
from otx_seg.runtime.predictor import Kind

Stored = Literal["FP32", "FP16", "INT8"]
Arithmetic = Literal["FP32", "bf16"]

_RUNTIMES: dict[Kind, str] = {"torch": "PyTorch", "onnx": "ONNX Runtime", "openvino": "OpenVINO"}


@dataclass(frozen=True)
class Variant:
    """One way to run a model file.

    Attributes:
        weights: a ``.pth``, ``.xml`` or ``.onnx``.
        kind: the program that runs it.
        stored: how most of its parameters are stored; INT8: it also computes with 8-bit integers.
        arithmetic: what it computes in where it does not compute with integers.
        labels: names for a model of another tool that carries none.
    """

    weights: Path
    kind: Kind
    stored: Stored
    arithmetic: Arithmetic
    labels: tuple[str, ...] | None = None

    @property
    def given_labels(self) -> Labels | None:
        """`labels` with colours, as they are given to a predictor."""
        return None if self.labels is None else labels_called(self.labels)

    @property
    def runtime(self) -> str:
        """The program's name, for people."""
        return _RUNTIMES[self.kind]

    @property
    def precision(self) -> str:
        """Storage and arithmetic, for people: ``FP32``, ``bf16``, ``FP16`` (computing in FP32), ``INT8`` ..."""
        if self.arithmetic == "FP32":
            return self.stored
        return "bf16" if self.stored == "FP32" else f"{self.stored} in bf16"

    def __str__(self) -> str:
        return f"{self.weights} ({self.runtime} {self.precision})"
