"""Ctrl-C inside libraries that take it for an error of their own."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

from otx_seg.errors import OtxError


class _Note:
    """Interrupts as Python's own handler does, and remembers it."""

    interrupted = False

    def __call__(self, _: int, __: FrameType | None) -> NoReturn:
        self.interrupted = True
        raise KeyboardInterrupt


@contextlib.contextmanager
def interruptions_as_such() -> Iterator[None]:
    """Libraries that call back into Python may raise errors of their own for whatever was raised there.

    Where someone else handles SIGINT, or it is ignored, this changes nothing.

    Raises:
        KeyboardInterrupt: in place of any exception after a SIGINT, but of an OtxError that was raised from it on
            purpose: that says how to go on.
    """
    note, before = _Note(), signal.getsignal(signal.SIGINT)
    try:
        ours = before is signal.default_int_handler or isinstance(before, _Note)
        before = signal.signal(signal.SIGINT, note) if ours else None
    except ValueError:
        before = None  # not in the main thread, which alone is interrupted
    try:
        yield
    except Exception as error:
        told = isinstance(error, OtxError) and isinstance(error.__cause__, KeyboardInterrupt)
        if note.interrupted and not told:
            raise KeyboardInterrupt from error
        raise
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
