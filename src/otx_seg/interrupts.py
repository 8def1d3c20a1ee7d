"""Ctrl-C, SIGTERM and SIGHUP: one way to end for all of them, also inside libraries that take them for errors."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, NoReturn

from otx_seg.errors import OtxError

ENDING = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""What asks a program to end: Ctrl-C, `kill` and schedulers, a terminal that is closed."""

_BY_LAUNCHER = "OTX_SEG_LAUNCH"  # whose processes SIGTERM ends at once, wherever in a library they wait for each other

_MOMENT_S = 0.05


class _Note:
    """Interrupts as Python's own handler of Ctrl-C does, and remembers it."""

    interrupted: KeyboardInterrupt | None = None

    def __call__(self, number: int, _: FrameType | None) -> NoReturn:
        self.interrupted = KeyboardInterrupt(signal.Signals(number))
        raise self.interrupted


@contextlib.contextmanager
def interruptions_as_such() -> Iterator[None]:
    """While this context lasts, whatever asks the program to end raises KeyboardInterrupt in the main thread.

    Libraries that call back into Python may raise errors of their own for what was raised there, and Python drops what
    is raised while it clears objects away: then it is raised again a moment later. Where someone else handles a
    signal, or it is ignored, this changes nothing.

    Raises:
        KeyboardInterrupt: in place of any exception after such a signal, but of an OtxError that was raised from it on
            purpose: that says how to continue.
    """
    note = _Note()
    before: dict[signal.Signals, Any] = {}
    with contextlib.suppress(ValueError):  # not in the main thread, which alone is interrupted
        for number in ENDING[:1] if _BY_LAUNCHER in os.environ else ENDING:
            handler = signal.getsignal(number)
            unclaimed = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            if handler is unclaimed or isinstance(handler, _Note):
                before[number] = signal.signal(number, note)
    hook = sys.unraisablehook

    def raise_again(dropped: sys.UnraisableHookArgs) -> None:
        if dropped.exc_value is None or dropped.exc_value is not note.interrupted:
            hook(dropped)
        else:
            threading.Timer(_MOMENT_S, _thread.interrupt_main, note.interrupted.args).start()

    sys.unraisablehook = raise_again
    try:
        yield
    except Exception as error:
        told = isinstance(error, OtxError) and isinstance(error.__cause__, KeyboardInterrupt)
        if note.interrupted and not told:
            raise KeyboardInterrupt(*note.interrupted.args) from error
        raise
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)
