"""The exported models among the outputs of a workspace."""

from __future__ import annotations

from pathlib import Path

_EXPORTED = ("*/openvino.xml", "*_run*/export/openvino.xml")
_QUANTIZED = (
    "*/ptq/openvino.xml",
    "*/nncf/openvino.xml",
    "*_run*/optimize/ptq/openvino.xml",
)


def latest_exported(outputs: Path) -> Path | None:
    """The floating-point IR that was written last by `otx export` or `otx run`, or None."""
    return _latest(outputs, _EXPORTED)


def latest_quantized(outputs: Path) -> Path | None:
    """The INT8 IR that was written last by `otx optimize` or `otx run`, or None."""
    return _latest(outputs, _QUANTIZED)


def _latest(outputs: Path, patterns: tuple[str, ...]) -> Path | None:
    found = [path for pattern in patterns for path in outputs.glob(pattern) if path.with_suffix(".bin").is_file()]
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)
