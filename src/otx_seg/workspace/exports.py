"""The exported models among the outputs of a workspace."""

from __future__ import annotations

from pathlib import Path

_EXPORTED, _QUANTIZED = ("openvino.xml",), ("ptq/openvino.xml", "nncf/openvino.xml")
_JOB = "run.json"  # what a quickstart exports beside no such file is no model of the workspace's data


def latest_exported(outputs: Path) -> Path | None:
    """The floating-point IR that was written last by `otx export` or `otx run`, or None."""
    return _latest(outputs, _EXPORTED, "export")


def latest_quantized(outputs: Path) -> Path | None:
    """The INT8 IR that was written last by `otx optimize` or `otx run`, or None."""
    return _latest(outputs, _QUANTIZED, "optimize")


def _latest(outputs: Path, names: tuple[str, ...], step: str) -> Path | None:
    folders = [*outputs.glob("*"), *(job.parent / step for job in outputs.glob(f"*/{_JOB}"))]
    models = [folder / name for folder in folders for name in names]
    found = [path for path in models if path.is_file() and path.with_suffix(".bin").is_file()]
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)
