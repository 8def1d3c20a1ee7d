"""The terminal: results on stdout, progress and messages on stderr."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from otx_seg.report.console import PlainConsole
from otx_seg.workspace.logs import PROGRESS, ROOT

results = PlainConsole()
messages = PlainConsole(stderr=True, highlight=False)


class _ScreenHandler(logging.Handler):
    """Shows messages above any running progress bar: what is said again word for word, such as how a folder was read
    by another step, only once in a command, unless it is progress.
    """

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if not hasattr(record, PROGRESS):
            if record.getMessage() in self.said:
                return
            self.said.add(record.getMessage())
        style = "yellow" if record.levelno >= logging.WARNING else None
        prefix = "Warning: " if record.levelno >= logging.WARNING else ""
        messages.print(prefix + record.getMessage(), style=style)


def prepare_screen() -> None:
    """Show the toolkit's own messages, and hide those of its libraries."""
    logger = logging.getLogger(ROOT)
    logger.setLevel(logging.INFO)
    for handler in logger.handlers:
        if isinstance(handler, _ScreenHandler):  # of an earlier command of this process
            logger.removeHandler(handler)
    logger.addHandler(_ScreenHandler())
    warnings.filterwarnings("ignore")
    logging.getLogger().addHandler(logging.NullHandler())  # else Python prints what no one takes


LINE_EVERY_S = 30.0
"""Between two lines about progress where there is no terminal for a bar, and before the first one."""


@contextmanager
def counting(text: str) -> Iterator[Callable[..., None]]:
    """A bar that counts: call the yielded function with the number done and, if it is known, the number to do.

    Where there is no terminal, a line about it now and then.
    """
    if not messages.is_terminal:
        yield _lines(text)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    progress = Progress(
        TextColumn(text, markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=messages,
        transient=True,
    )
    with progress:
        task = progress.add_task(text, total=None)

        def advance(done: int, total: int | None = None) -> None:
            progress.update(task, completed=done, total=total)

        yield advance


def _lines(text: str) -> Callable[..., None]:
    told = time.monotonic()

    def advance(done: int, total: int | None = None) -> None:
        nonlocal told
        if time.monotonic() - told < LINE_EVERY_S:
            return
        told = time.monotonic()
        messages.print(f"{text}: {done:,}" + ("" if total is None else f" of {total:,}"))

    return advance
