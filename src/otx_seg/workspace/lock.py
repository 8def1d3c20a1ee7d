"""One command at a time in an output folder, on every system; and removal of a killed command's unfinished files."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from otx_seg.errors import UsageError
from otx_seg.runtime.whole_file import is_left_over

logger = logging.getLogger(__name__)

LOCK = ".otx.lock"
"""In a folder as long as a command works there. The system lets go of its lock however the process ends; a file that is
left over locks nobody out."""


@contextmanager
def alone_in(folder: Path, by: Callable[[], str] = str) -> Iterator[None]:
    """While this context lasts, no other command gets into the folder; unfinished files of earlier ones are removed.

    Where the file system has no locks, a warning says so, and nothing is removed.

    Args:
        folder: it exists.
        by: gives who is working there, if that can be told, for the message.

    Raises:
        UsageError: another command is working there, or in this process.
        OSError: the folder cannot be written to.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        who = f" ({found})" if (found := by()) else ""
        raise UsageError(
            f"{folder}: another otx command is working there{who}; wait for its end, or choose another folder"
        ) from error
    except (OSError, NotImplementedError) as error:
        if isinstance(error, (FileNotFoundError, PermissionError)):
            raise
        logger.warning(
            "%s: the file system gives no locks; make sure that no other otx command writes there",
            folder,
            exc_info=error,
        )
        yield
        return
    ours = (folder / LOCK).stat()
    try:
        _remove_left_overs(folder)
        yield
    finally:
        with suppress(OSError):  # Windows removes no file that is open
            # In a folder that has taken the place of this one, the lock is another command's.
            if os.path.samestat((folder / LOCK).stat(), ours):
                (folder / LOCK).unlink()
        lock.release()


def _remove_left_overs(folder: Path) -> None:
    """Remove what writing left that was cut short, in a folder and below, but not where another command is at work."""
    for place, folders, files in os.walk(folder):
        if Path(place) != folder and LOCK in files and not _is_left(Path(place) / LOCK):
            folders.clear()
            continue
        for name in filter(is_left_over, folders):
            shutil.rmtree(Path(place) / name, ignore_errors=True)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in filter(is_left_over, files):
            with suppress(OSError):
                (Path(place) / name).unlink()


def _is_left(lock_file: Path) -> bool:
    """Whether a lock of a folder below belongs to nobody; it is removed then."""
    try:
        with FileLock(lock_file, timeout=0):
            lock_file.unlink()
    except (Timeout, OSError, NotImplementedError):
        return not lock_file.exists()
    return True
