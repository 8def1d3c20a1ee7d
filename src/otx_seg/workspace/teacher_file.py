"""The file of a teacher, and which one it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from otx_seg.workspace.digest import content_digest
from otx_seg.workspace.model_file import check_model_file

_SUFFIXES = (".pth", ".xml", ".onnx", ".zip")


@dataclass(frozen=True)
class TeacherFile:
    """Where a teacher is, and which one it is.

    Attributes:
        path: absolute.
        digest: SHA-256 of the file's content, of an IR with its ``.bin``.
    """

    path: Path
    digest: str


def teacher_at(path: Path) -> TeacherFile:
    """The teacher in a file.

    Raises:
        UsageError: the file is missing, or called like no model.
    """
    check_model_file(path, _SUFFIXES)
    beside = path.with_suffix(".bin")
    files = [path, beside] if path.suffix.lower() == ".xml" and beside.is_file() else [path]
    return TeacherFile(path.resolve(), content_digest(files))
