"""A window for pictures, where there is a display."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import cv2
import numpy as np
from numpy.typing import NDArray

_QUIT = frozenset((ord("q"), ord("Q"), 27))  # 27: ESC


def why_no_window() -> str | None:
    """The reason why this machine, or this OpenCV, can show no window; None if it can."""
    gui = re.search(r"GUI:\s*(\S+)", cv2.getBuildInformation())
    if gui is None or gui[1] == "NONE":
        return "opencv-python-headless is installed, which has no windows; opencv-python has"
    if sys.platform != "linux":
        return None
    if not os.environ.get("DISPLAY"):
        return "there is no display (DISPLAY is not set)"
    # A display that does not answer ends the process, so another one asks.
    probe = [sys.executable, "-c", "import cv2; cv2.namedWindow('probe'); cv2.destroyAllWindows()"]
    if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        return f"the display {os.environ['DISPLAY']} does not answer"
    return None


class Window:
    """Shows one picture after another; `q`, ESC or closing it means that the viewer has seen enough."""

    def __init__(self, title: str) -> None:
        self.title = title
        cv2.namedWindow(title, cv2.WINDOW_AUTOSIZE)

    def show(self, picture: NDArray[np.uint8], delay: int) -> bool:
        """Show a picture.

        Args:
            picture: uint8 (H, W, 3) RGB.
            delay: milliseconds to wait for a key; 0: until one is pressed.

        Returns:
            Whether the viewer wants more.
        """
        cv2.imshow(self.title, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        waited = 0
        while True:
            # In short steps, so that closing the window ends an unlimited wait.
            step = min(delay - waited, 50) if delay else 50
            key = cv2.waitKey(max(1, step))
            if key != -1:
                return key & 0xFF not in _QUIT
            if cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) < 1:
                return False
            waited += step
            if delay and waited >= delay:
                return True

    def close(self) -> None:
        cv2.destroyAllWindows()
