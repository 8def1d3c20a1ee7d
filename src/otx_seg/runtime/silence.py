"""OpenCV without what it prints about files and cameras that do not work: that is for programmers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2


@contextmanager
def opencv_silenced() -> Iterator[None]:
    """While this context lasts, OpenCV prints nothing."""
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
