"""Checks of a `--load-weights` file by its name, before any slow import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from otx_seg.errors import UsageError

_USUAL = (
    *("weights.pth", "models/weights.pth", "nncf/weights.pth"),
    *("openvino.xml", "ptq/openvino.xml", "nncf/openvino.xml", "model/model.xml", "model.onnx", "openvino.zip"),
)
"""Where in a folder the commands of this toolkit write models."""


def check_model_file(path: Path, suffixes: Sequence[str], instead: Mapping[str, str] | None = None) -> None:
    """Make sure that a file is there, and called like a model that can be used.

    Args:
        suffixes: in which its name may end, in lower case, with the point.
        instead: what to tell of files whose names end in others.

    Raises:
        UsageError: it is missing, a folder, or called otherwise.
    """
    if path.is_dir():
        raise UsageError(_is_a_folder(path, suffixes))
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        advice = (instead or {}).get(suffix)
        if advice is None:
            called = repr(path.suffix) if path.suffix else "nothing"
            advice = f"weights end in {', '.join(suffixes)}, not in {called}"
        raise UsageError(f"{path}: {advice}")
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file")


def holds_model(folder: Path) -> bool:
    """Whether a folder looks like one into which a command has written a model."""
    return any((folder / name).is_file() for name in _USUAL)


def _is_a_folder(path: Path, suffixes: Sequence[str]) -> str:
    usual = [path / name for name in _USUAL if Path(name).suffix in suffixes]
    found = [file for file in usual if file.is_file()]
    found += sorted(file for file in path.iterdir() if file.suffix.lower() in suffixes and file.is_file())
    if found:
        the_model = "the model in it:" if len(set(found)) == 1 else "a model in it, such as"
        return f"{path}: is a folder; give {the_model} {found[0]}"
    return f"{path}: is a folder, and no model is in it; give a file that ends in {', '.join(suffixes)}"
