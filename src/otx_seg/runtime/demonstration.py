"""Showing, keeping and timing what a model makes of a stream of frames."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import UsageError
from otx_seg.labels import Labels
from otx_seg.runtime.confidence import check_min_confidence
from otx_seg.runtime.overlay import draw_legend, draw_note, draw_unknown, overlay
from otx_seg.runtime.pipeline import Masked, Masks
from otx_seg.runtime.result_files import result_files
from otx_seg.runtime.streams import Frame, Stream

logger = logging.getLogger(__name__)

_TIMED_FRAMES = 10
_QUIT = frozenset((ord("q"), ord("Q"), 27))  # 27: ESC
_VIDEO_DELAY = 1  # milliseconds; the least with which a window is drawn


@dataclass(frozen=True)
class DemoSettings:
    """What is to be done with each frame and its mask.

    Attributes:
        window: show them, where there is a display.
        delay: milliseconds each is shown, 0: until a key is pressed, None: as long as a key for still images, not at
            all for videos and cameras.
        fit_to_size: (width, height) in pixels that pictures are enlarged or shrunk to, with their proportions kept;
            None: as large as the frame.
        output: folder for masks and overlays, or None.
        overwrite: replace files of the results' names.
        loop: begin again at the end.
        display_perf: write frames per second and milliseconds, means of the last ten frames, onto the picture.
        min_confidence: pixels of a lower one are unknown, see `without_unsure`, and drawn so; None: none is.

    Raises:
        UsageError: results are to be kept of a loop, or the confidence is out of range.
    """

    window: bool = True
    delay: int | None = None
    fit_to_size: tuple[int, int] | None = None
    output: Path | None = None
    overwrite: bool = False
    loop: bool = False
    display_perf: bool = False
    min_confidence: float | None = None

    def __post_init__(self) -> None:
        check_min_confidence(self.min_confidence)
        if self.loop and self.output is not None:
            raise UsageError("--output keeps each frame once, --loop shows them without end; leave one of them out")


@dataclass(frozen=True)
class DemoResult:
    """The outcome of `demonstrate`.

    Attributes:
        frames: how many were shown.
        seconds: from the moment the first frame was given to the network until the last one was dealt with.
        milliseconds: mean time from a frame's entry into the network until its mask.
    """

    frames: int
    seconds: float
    milliseconds: float

    @property
    def frames_per_second(self) -> float:
        """Of all of them, reading, drawing, keeping and showing included; making the model ready is not."""
        return self.frames / self.seconds


def demonstrate(
    stream: Stream,
    make_masks: Masks,
    labels: Labels,
    show: DemoSettings,
    progress: Callable[[int, int | None], None] | None = None,
) -> DemoResult:
    """Run a model over a stream until it ends or the viewer has seen enough.

    Without a display nothing is shown, which is said once. What has no end (a loop, a camera) may also be ended with
    Ctrl-C.

    Args:
        make_masks: turns frames into masks, in their order.
        labels: of the model.
        progress: called with the numbers of frames done and to do, None if that is not known.

    Raises:
        UsageError: a result would replace a file.
        DataError: there is no frame.
        OtxError: a result cannot be written.
    """
    window = _window(stream, show)
    endless = show.loop or stream.endless
    presenter = _Presenter(stream, labels, show, window)
    total = None if endless else stream.total
    try:
        with contextlib.closing(make_masks(_repeated(stream) if show.loop else stream.frames())) as all_masked:
            for masked in all_masked:
                wanted = presenter.present(masked)
                if progress is not None:
                    progress(presenter.frames, total)
                if not wanted:
                    break
    except KeyboardInterrupt:
        if not endless or presenter.frames == 0:
            raise
    finally:
        if window is not None:
            window.close()
    return presenter.outcome()


def _window(stream: Stream, show: DemoSettings) -> Window | None:
    if not show.window:
        return None
    reason = why_no_window()
    if reason is None:
        return Window("otx demo")
    kept = "" if show.output is not None else "; add --output FOLDER to keep masks and overlays"
    logger.warning("no window: %s. The model is run and timed%s.", reason, kept)
    return None


def _repeated(stream: Stream) -> Iterator[Frame]:
    while True:
        yield from stream.frames()


class _Presenter:
    """Draws, keeps, shows and times."""

    def __init__(self, stream: Stream, labels: Labels, show: DemoSettings, window: Window | None) -> None:
        self._stream, self._labels, self._settings, self._window = stream, labels, show, window
        self._delay = show.delay if show.delay is not None else (0 if stream.still else _VIDEO_DELAY)
        self._moments: deque[float] = deque(maxlen=_TIMED_FRAMES + 1)
        self._latencies: deque[float] = deque(maxlen=_TIMED_FRAMES)
        self._begun, self._latency = time.perf_counter(), 0.0
        self.frames = 0

    def present(self, masked: Masked) -> bool:
        """Deal with one frame; False if the viewer wants no more."""
        if self.frames == 0:
            self._begun = time.perf_counter() - masked.seconds
            self._moments.append(self._begun)
        self.frames += 1
        self._latency += masked.seconds
        self._latencies.append(masked.seconds)
        self._moments.append(time.perf_counter())
        picture = self._draw(masked)
        if self._settings.output is not None:
            files = result_files(self._settings.output, masked.frame.name)
            files.check(self._stream.inputs, self._settings.overwrite)
            files.write(masked.mask, picture)
        return self._window is None or self._window.show(picture, self._delay)

    def _draw(self, masked: Masked) -> NDArray[np.uint8]:
        refuses = self._settings.min_confidence is not None
        picture = overlay(masked.frame.image, masked.mask, self._labels)
        if refuses:
            draw_unknown(picture, masked.mask)
        if self._settings.fit_to_size is not None:
            picture = _fitted(picture, self._settings.fit_to_size)
        draw_legend(picture, masked.mask, self._labels, refuses)
        if self._settings.display_perf:
            rate = (len(self._moments) - 1) / (self._moments[-1] - self._moments[0])
            latency = 1000 * sum(self._latencies) / len(self._latencies)
            draw_note(picture, f"{rate:.1f} frames/s   {latency:.1f} ms")
        return picture

    def outcome(self) -> DemoResult:
        seconds = time.perf_counter() - self._begun
        return DemoResult(self.frames, seconds, 1000 * self._latency / max(1, self.frames))


def _fitted(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The picture as large as fits into (width, height)."""
    height, width = picture.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    target = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, target, interpolation=way))


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
