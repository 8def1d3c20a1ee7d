"""Whether files are those of before."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from otx_seg.runtime.image_files import file_names

_PIECE = 1 << 20  # bytes


def digest_of(root: Path) -> str:
    """A digest of the names, sizes and times of change of all files in a folder and below, or of one file; none is
    read."""
    found = hashlib.sha256()
    names = sorted(file_names(str(root))) if root.is_dir() else [""]
    for name in names:
        try:
            status = os.stat(f"{root}/{name}" if name else root)  # noqa: PTH116  (three times as fast, for many files)
        except OSError:
            continue  # a link to nothing; whoever reads the data says so
        found.update(repr((name, status.st_size, status.st_mtime_ns)).encode("utf-8", "surrogateescape"))
    return found.hexdigest()


def content_digest(files: Iterable[Path]) -> str:
    """The SHA-256 of the content of files, one behind the other, wherever they are and whatever they are called."""
    found = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                found.update(piece)
    return found.hexdigest()
