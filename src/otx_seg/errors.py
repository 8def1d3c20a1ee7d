"""The errors a user can cause or meet, each with the exit code the command line ends with.

An expected failure is one of these; its text says what is wrong, where, and what to do next. Anything
else that escapes is a programming error and keeps its traceback in the log file.
"""

from __future__ import annotations

import signal


class OtxError(Exception):
    """A correct request failed during work (exit code 1).

    Args:
        what: what is wrong, where, and what to do.
        go_on: the command that continues with what was begun; empty: there is none, or `what` says how.

    Attributes:
        what: as given, for whoever knows a better way to continue.
    """

    exit_code = 1

    def __init__(self, what: str, go_on: str = "") -> None:
        super().__init__(f"{what}. Continue with: {go_on}" if go_on else what)
        self.what = what


class UsageError(OtxError):
    """A wrong option, template, weights file or combination (exit code 2)."""

    exit_code = 2


class DataError(OtxError):
    """The data set cannot be used as it is (exit code 3)."""

    exit_code = 3


def ending_signal(error: BaseException) -> signal.Signals | None:
    """The signal whose interruption an error is, or was raised from deliberately; None: there was none."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, KeyboardInterrupt):
            return next((item for item in found.args if isinstance(item, signal.Signals)), signal.SIGINT)
        found = found.__cause__
    return None


def interrupted_by(error: BaseException) -> str:
    """What ended a program, for people: ``interrupted``, with the signal's name unless that is Ctrl-C."""
    sent = ending_signal(error)
    return "interrupted" if sent in (None, signal.SIGINT) else f"interrupted by {sent.name}"


def exit_code_of(error: BaseException) -> int:
    """What a program ends with: for a signal 128 and its number, as shells and schedulers know it."""
    sent = ending_signal(error)
    return getattr(error, "exit_code", 1) if sent is None else 128 + sent
