"""Whether files are those of before, without reading any."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from otx_seg.runtime.image_files import file_names


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
