"""Messages: to the terminal what a person needs, to the run's log file everything, tracebacks included."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

from otx_seg.errors import DataError, UsageError
from otx_seg.runtime.terminal import as_entry
from otx_seg.workspace.run_folder import RunFolder

ROOT = "otx_seg"


@contextmanager
def log_to(run: RunFolder, alone: bool = False) -> Iterator[Callable[[str], None]]:
    """While this context lasts, all messages of the toolkit go to the log file of a run as well.

    What it gives writes a line to that file alone: results, which a command shows in its own way.

    An exception that leaves the context is written there with its traceback, and raised on. If it says that what was
    asked for cannot be done, and nothing else has been written, the log and the folders made for the run are removed.

    Args:
        alone: whether no other process may work on the run at the same time; on Windows it is not looked at.

    Raises:
        UsageError: another process does, which wants to be alone too.
    """
    before, is_new = _names_in(run), not run.log.exists()
    handler = _open_log(run, alone)  # where another process is at work, nothing is removed: it has made what is there
    try:
        with _logging_to(handler) as note:
            yield note
    except (UsageError, DataError):
        if is_new and _names_in(run) - before <= {run.log.parent.name}:
            _remove(run)
        raise


def _names_in(run: RunFolder) -> set[str]:
    return {path.name for path in run.path.iterdir()}


def _remove(run: RunFolder) -> None:
    with suppress(OSError):  # a folder that holds something else, which is to stay
        if [path.name for path in run.log.parent.iterdir()] == [run.log.name]:
            run.log.unlink()
        run.log.parent.rmdir()
        for folder in reversed(run.made):
            folder.rmdir()


def _open_log(run: RunFolder, alone: bool) -> logging.FileHandler:
    run.log.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(run.log, encoding="utf-8", errors="backslashreplace")
    if alone and _is_locked(handler):
        handler.close()
        raise UsageError(
            f"{run.path}: another otx command is at work there; wait for its end, or choose another folder"
        )
    return handler


class _Entries(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return as_entry(super().format(record))


@contextmanager
def _logging_to(handler: logging.FileHandler) -> Iterator[Callable[[str], None]]:
    # A full disk is told once, by what failed to write its result; a log that fails too must not add a traceback.
    handler.handleError = lambda record: None  # type: ignore[method-assign]
    handler.setFormatter(_Entries("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger(ROOT)
    root.addHandler(handler)
    level = root.level
    root.setLevel(logging.INFO)

    def note(text: str, error: BaseException | None = None) -> None:
        details = None if error is None else (type(error), error, error.__traceback__)
        handler.emit(root.makeRecord(ROOT, logging.INFO if error is None else logging.ERROR, "", 0, text, (), details))

    try:
        yield note
    except BaseException as error:
        note("ended by", error)  # to the file alone: the terminal gets one line from the command
        raise
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        with suppress(OSError):
            handler.close()


def _is_locked(handler: logging.FileHandler) -> bool:
    """Lock a log until it is closed, or the process ends in whatever way; whether another process has done so."""
    if fcntl is None or handler.stream is None:
        return False
    try:
        fcntl.lockf(handler.stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:  # a file system without locks
        return False
    return False
