"""Messages: short ones to the terminal; everything, with tracebacks, to the run's log file."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from otx_seg.errors import DataError, OtxError, UsageError
from otx_seg.runtime.terminal import as_entry
from otx_seg.workspace.lock import LOCK, alone_in
from otx_seg.workspace.run_folder import RunFolder

ROOT = "otx_seg"

PROGRESS = "progress"
"""What messages have in `extra` that may come again in the same words and tell something new all the same."""

_AT_WORK = "at work: "


@contextmanager
def log_to(run: RunFolder) -> Iterator[Callable[[str], None]]:
    """While this context lasts, all messages of the toolkit go to the log file of a run as well, and no other command
    gets into its folder.

    What it gives writes a line to that file alone: results, which a command shows in its own way.

    An exception that leaves the context is written there with its traceback, and raised on. If it says that what was
    asked for cannot be done, and nothing else has been written, the log and the folders made for the run are removed.

    Raises:
        UsageError: another command is working there.
        FolderGoneError: the folder no longer exists at the end, or when something could not be written.
    """
    refused = False
    try:
        with alone_in(run.path, by=lambda: _who_is_at_work(run)):
            before, is_new = _names_in(run), not run.log.exists()
            try:
                with _logging_to(_open_log(run)) as note:
                    note(f"{_AT_WORK}process {os.getpid()} on {socket.gethostname()}")
                    yield note
                    run.check_there()
            except (UsageError, DataError):
                refused = is_new and run.path.is_dir() and _names_in(run) - before <= {run.log.parent.name}
                raise
            except (OSError, OtxError) as error:
                if isinstance(error.__cause__ or error, OSError):
                    run.check_there()
                raise
    finally:
        if refused:
            _remove(run)


def _names_in(run: RunFolder) -> set[str]:
    return {path.name for path in run.path.iterdir()} - {LOCK}


def _who_is_at_work(run: RunFolder) -> str:
    """The last one who has said so in the log."""
    try:
        lines = run.log.read_bytes().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    said = [line.partition(_AT_WORK)[2] for line in lines if _AT_WORK in line]
    return said[-1] if said else ""


def _remove(run: RunFolder) -> None:
    with suppress(OSError):  # a folder that holds something else, which is to stay
        if [path.name for path in run.log.parent.iterdir()] == [run.log.name]:
            run.log.unlink()
        run.log.parent.rmdir()
        for folder in reversed(run.made):
            folder.rmdir()


def _open_log(run: RunFolder) -> logging.FileHandler:
    run.log.parent.mkdir(parents=True, exist_ok=True)
    return logging.FileHandler(run.log, encoding="utf-8", errors="backslashreplace")


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
