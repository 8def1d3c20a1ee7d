"""Ctrl-C is one, whatever a library makes of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from otx_seg.errors import OtxError, UsageError, exit_code_of, interrupted_by
from otx_seg.interrupts import interruptions_as_such
from otx_seg.training.stopping import StopRequest


@pytest.fixture(autouse=True)
def listening() -> Iterator[None]:
    """As in a shell: a process that was started in the background ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def library(interrupted: bool) -> None:
    """Wraps whatever its callback raises."""
    try:
        if interrupted:
            os.kill(os.getpid(), signal.SIGINT)
        raise ValueError("of the callback")
    except BaseException as error:
        raise RuntimeError("conversion failed") from error


def with_resume_command() -> None:
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt as error:
        raise OtxError("interrupted; to resume, run the same command again") from error


@pytest.mark.parametrize(("sent", "said"), [("SIGINT", "interrupted"), ("SIGTERM", "interrupted by SIGTERM")])
def test_every_way_to_end_a_program_is_an_interruption(sent: str, said: str) -> None:
    number = signal.Signals[sent]
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt) as error, interruptions_as_such():
        os.kill(os.getpid(), number)
    assert interrupted_by(error.value) == said
    assert exit_code_of(error.value) == 128 + number
    assert signal.getsignal(number) is before


def test_a_closed_terminal_ends_what_nohup_does_not_keep() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
    try:
        with pytest.raises(KeyboardInterrupt, match=""), interruptions_as_such():
            os.kill(os.getpid(), signal.SIGHUP)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with interruptions_as_such():
            os.kill(os.getpid(), signal.SIGHUP)
        with StopRequest() as request:
            os.kill(os.getpid(), signal.SIGHUP)
        assert request.signal_name is None
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with StopRequest() as request:
            os.kill(os.getpid(), signal.SIGHUP)
        assert request.signal_name == "SIGHUP"
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_error_after_ctrl_c_is_an_interruption() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interruptions_as_such():
        library(interrupted=True)
    assert signal.getsignal(signal.SIGINT) is before


def test_what_python_drops_is_raised_again() -> None:
    class Cleared:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.001)

    def work() -> None:
        Cleared()
        time.sleep(10)

    with pytest.raises(KeyboardInterrupt) as error, interruptions_as_such():
        work()
    assert interrupted_by(error.value) == "interrupted by SIGTERM"


def test_the_inner_one_of_two_is_told_first() -> None:
    with interruptions_as_such(), pytest.raises(KeyboardInterrupt), interruptions_as_such():
        library(interrupted=True)


def test_what_is_said_of_an_interruption_stays() -> None:
    with pytest.raises(OtxError, match="run the same command again") as error, interruptions_as_such():
        with_resume_command()
    assert exit_code_of(error.value) == 130
    assert exit_code_of(UsageError("after none")) == 2


def test_other_errors_stay() -> None:
    with pytest.raises(RuntimeError, match="conversion failed"), interruptions_as_such():
        library(interrupted=False)


def test_what_ignores_ctrl_c_goes_on_doing_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(RuntimeError, match="conversion failed"), interruptions_as_such():
            library(interrupted=True)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
