"""OpenCV, and the libraries it decodes with, without what they print of files and cameras that do not work: that is for
programmers."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

_lock = threading.Lock()
_inside: list[int] = []  # a copy of descriptor 2, once for each thread that is in such a context


@contextmanager
def opencv_silenced() -> Iterator[None]:
    """While this context lasts, OpenCV prints nothing, in whatever thread.

    libpng, libjpeg and FFmpeg write to descriptor 2, which is silenced where our own messages go another way, see
    `prepare_streams`.
    """
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    redirected = _stderr_is_apart()
    if redirected:
        with _lock:
            _inside.append(_inside[0] if _inside else _silence_descriptor())
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
        if redirected:
            with _lock:
                kept = _inside.pop()
                if not _inside:
                    os.dup2(kept, 2)
                    os.close(kept)


def _stderr_is_apart() -> bool:
    try:
        return sys.stderr.fileno() != 2
    except (AttributeError, OSError, ValueError):  # no stream, or one without a descriptor
        return False


def _silence_descriptor() -> int:
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    return kept


def _begin_in_child() -> None:
    global _lock  # another thread may have held it, and the child has no such thread
    _lock = threading.Lock()
    if _inside:
        os.dup2(_inside[0], 2)
        _inside.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
