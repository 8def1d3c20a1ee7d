"""The one OpenVINO of a process, and keeping it from breaking the process's signals.

OpenVINO 2026.4's CPU plugin gives the thread a stack for signal handlers when a `Core` first compiles something, and
takes it away when that Core and its models are gone, putting back the stack it found. When Cores do not end in the
reverse order of their beginning, what is put back may be gone itself, and the next signal that Python handles (Ctrl-C,
or the end of a process that loads images) ends the program with a segmentation fault.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import openvino


@functools.cache
def openvino_core() -> openvino.Core:
    """The Core that all of this toolkit uses; it lives as long as the process, and so does its stack for signals."""
    return openvino.Core()


class _Stack(ctypes.Structure):
    """``stack_t`` of Linux' signal.h."""

    _fields_ = (("base", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@contextmanager
def signal_stack_kept() -> Iterator[None]:
    """Leave the thread with the stack for signal handlers that it has, whatever Cores of other libraries come and go.

    On systems other than Linux this does nothing.
    """
    if sys.platform != "linux":
        yield
        return
    sigaltstack = ctypes.CDLL(None).sigaltstack
    before = _Stack()
    sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        sigaltstack(ctypes.byref(before), None)
