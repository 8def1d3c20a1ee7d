"""Whether there can be a window, and what its keys mean. OpenCV's own part is stood in for: tests have no display."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from otx_seg.runtime import window
from otx_seg.runtime.window import Window, why_no_window


def test_an_opencv_without_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                           NONE\n  Media I/O:\n")
    assert "opencv-python-headless" in (why_no_window() or "")


def test_a_machine_without_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                           QT5\n")
    monkeypatch.setattr(window.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    assert "DISPLAY is not set" in (why_no_window() or "")
    monkeypatch.setenv("DISPLAY", ":94")
    assert "the display :94 does not answer" in (why_no_window() or "")
    monkeypatch.setattr(window.sys, "platform", "win32")
    assert why_no_window() is None


@pytest.mark.parametrize(
    ("keys", "open_window", "delay", "wanted"),
    [
        ([ord("q")], 1, 0, False),
        ([27], 1, 1000, False),
        ([-1, -1, ord("n")], 1, 0, True),
        ([-1] * 3, 1, 120, True),
        ([-1], 0, 0, False),
        ([-1], 1, 1, True),
    ],
)
def test_keys(monkeypatch: pytest.MonkeyPatch, keys: list[int], open_window: int, delay: int, wanted: bool) -> None:
    pressed, shown, waits = iter(keys), [], []

    def wait_key(milliseconds: int) -> int:
        waits.append(milliseconds)
        return next(pressed)

    monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", lambda _, pixels: shown.append(pixels[0, 0].tolist()))
    monkeypatch.setattr(cv2, "waitKey", wait_key)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: open_window)
    picture = np.full((4, 5, 3), (1, 2, 3), np.uint8)
    assert Window("title").show(picture, delay) is wanted
    assert shown == [[3, 2, 1]]  # OpenCV shows blue, green, red
    assert len(waits) == len(keys)
    assert 0 not in waits  # would wait for a key even after the window is closed
