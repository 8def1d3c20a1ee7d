"""Writing a file so that a crash, a kill or a full disk leaves either the old file or the new one, never half."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

UNFINISHED = ".unfinished"
"""Ends the name of a file, and with a hyphen begins that of a folder, until it is whole and gets its own name."""

_NAME_KEPT = 50  # characters, so that a name as long as file systems allow leaves room for the rest

# The second form is that of versions that did not mark such files; the names of tensors are beyond doubt.
_LEFT_OVER = re.compile(
    r"\..*\.[a-z0-9_]{8}\.unfinished|\.(state|weights|beginning|best)\.pth\.[a-z0-9_]{8}|\.unfinished-[a-z0-9_]{8}"
)


def is_left_over(name: str) -> bool:
    """Whether a file or folder of this name is one that was never finished, if nobody is at work on it."""
    return _LEFT_OVER.fullmatch(name) is not None


def write_atomic(path: Path, content: bytes) -> None:
    """Write `content` to a temporary file in the same folder, flush it to the disk, and rename it to `path`.

    Raises:
        OSError: the file cannot be written; `path` is then as it was before.
    """
    with opened_atomically(path) as file:
        file.write(content)


@contextmanager
def opened_atomically(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which gets the name `path` once it is written; the same as `write_atomic`.

    Raises:
        OSError: it cannot be written; `path` is then as it was before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Named before it is made: an interruption at any moment finds it.
    temporary = path.with_name(f".{path.name[:_NAME_KEPT]}.{uuid.uuid4().hex[:8]}{UNFINISHED}")
    try:
        with temporary.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105  (the atomic rename is the point)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            # Writing to an open file fails without saying which file it was.
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
