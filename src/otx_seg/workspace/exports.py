"""The exported models among the outputs of a workspace."""

from __future__ import annotations

from pathlib import Path

from otx_seg.workspace.run_folder import JOB_STATE

_EXPORTED, _QUANTIZED = ("openvino.xml",), ("ptq/openvino.xml", "nncf/openvino.xml")


def latest_exported(outputs: Path) -> Path | None:
    """The floating-point IR that was written last by `otx export` or `otx run`, or None."""
    return _latest(outputs, _EXPORTED, "export")


def latest_quantized(outputs: Path) -> Path | None:
    """The INT8 IR that was written last by `otx optimize` or `otx run`, or None."""
    return _latest(outputs, _QUANTIZED, "optimize")


def _latest(outputs: Path, names: tuple[str, ...], step: str) -> Path | None:
    # Not of any folder with such a step: what a quickstart exports is not a model of the workspace's data.
    folders = [*outputs.glob("*"), *(job.parent / step for job in outputs.glob(f"*/{JOB_STATE}"))]
    models = [folder / name for folder in folders for name in names]
    found = [path for path in models if path.is_file() and path.with_suffix(".bin").is_file()]
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)
