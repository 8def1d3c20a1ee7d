"""Messages: to the terminal what a person needs, to the run's log file everything, tracebacks included."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = "otx_seg"


@contextmanager
def log_to(path: Path) -> Iterator[None]:
    """While this context lasts, all messages of the toolkit go to the file at `path` as well.

    An exception that leaves the context is written there with its traceback, and raised on.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    # A full disk is told once, by what failed to write its result; a log that fails too must not add a traceback.
    handler.handleError = lambda record: None  # type: ignore[method-assign]
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger(ROOT)
    root.addHandler(handler)
    level = root.level
    root.setLevel(logging.INFO)
    try:
        yield
    except BaseException as error:
        # To the file alone: the terminal gets one line from the command.
        handler.emit(
            root.makeRecord(ROOT, logging.ERROR, "", 0, "ended by", (), (type(error), error, error.__traceback__))
        )
        raise
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        with suppress(OSError):
            handler.close()
