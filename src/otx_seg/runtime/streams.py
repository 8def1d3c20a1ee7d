"""Frames, one after the other, from an image, a folder of images, a video, a camera or an address in a network."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import DataError, UsageError
from otx_seg.runtime.image_files import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from otx_seg.runtime.image_headers import MAX_PIXELS, is_image
from otx_seg.runtime.images import read_image
from otx_seg.runtime.path_filter import ALL_PATHS, PathFilter
from otx_seg.runtime.result_files import named_images
from otx_seg.runtime.silence import opencv_silenced
from otx_seg.runtime.urls import is_url, shown_url

logger = logging.getLogger(__name__)

STREAMED = ("rtsp", "rtsps", "rtmp", "http", "https", "udp")
"""How addresses of streams begin."""

TIMEOUT_S = 8
"""Until a stream has to answer, and then until its next frame."""


@dataclass(frozen=True)
class Frame:
    """One picture of a stream.

    Attributes:
        name: what its results are called: a relative path without suffix.
        image: uint8 (H, W, 3) RGB.
    """

    name: PurePath
    image: NDArray[np.uint8]


class Stream(Protocol):
    """Where frames come from.

    Attributes:
        inputs: the files they are read from, resolved.
        total: how many there are, as far as can be told before reading; None: no one knows.
        still: they are images, which a viewer wants to look at one by one.
        endless: they continue until someone stops them.
    """

    inputs: set[Path]
    total: int | None
    still: bool
    endless: bool

    def frames(self) -> Iterator[Frame]:
        """The frames from the first on; may be called again.

        Raises:
            DataError: there are none that can be read.
        """
        ...


def open_stream(source: str | Path, paths: PathFilter = ALL_PATHS) -> Stream:
    """The stream at `source`: a file, a folder, the index of a camera (0 is the first), or an address in a network.

    What a file is, is judged by its content. A file or folder whose name is a number goes before a camera.

    Args:
        paths: which images of a folder.

    Raises:
        UsageError: see `PathFilter.chosen`; or there are no images to choose among.
        DataError: there is nothing, no image in the folder, or it is neither image nor video nor a camera that works,
            or the address gives no frames within `TIMEOUT_S`.
    """
    if is_url(str(source)):
        _refuse_choice(paths, shown_url(str(source)))
        return _Network(str(source))
    path = Path(source)
    if not path.exists() and str(source).isdecimal():
        _refuse_choice(paths, f"camera {source}")
        return _Camera(int(str(source)))
    if not path.exists():
        raise DataError(
            f"{path}: no such file or folder; give an image, a folder of images, a video, a camera's number, or an "
            "address (rtsp://..., http://...)"
        )
    if path.is_file() and path.suffix.lower() not in IMAGE_SUFFIXES | UNREAD_SUFFIXES and not is_image(path):
        _refuse_choice(paths, str(path))
        return _Video(path)
    return _Images(path, paths)


def _refuse_choice(paths: PathFilter, source: str) -> None:
    if paths:
        raise UsageError(f"{source}: --include and --exclude choose images of a folder; leave them out here")


class _Images:
    still, endless = True, False

    def __init__(self, path: Path, paths: PathFilter) -> None:
        self.path = path
        self.images, self.inputs = named_images(path, paths)
        self.total: int | None = len(self.images)

    def frames(self) -> Iterator[Frame]:
        read, first_reason = False, ""
        for file, name in self.images:
            try:
                frame = Frame(name, read_image(file))
            except DataError as error:
                first_reason = first_reason or str(error)
                if len(self.images) > 1:
                    logger.warning("skipped: %s", error)
                continue
            read = True
            yield frame
        if not read:
            raise DataError(
                first_reason
                if len(self.images) == 1
                else f"{self.path}: none of {len(self.images)} images could be read; the first: {first_reason}"
            )


class _Video:
    still, endless = False, False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.inputs = {path.resolve()}
        with self._open() as capture:
            # An estimate in some formats.
            self.total = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))) or None

    def _open(self) -> AbstractContextManager[Any]:
        if self.path.stat().st_size == 0:
            raise DataError(f"{self.path}: the file is empty")
        # OpenCV's own reader of AVI files, which comes after FFmpeg's, prints what it dislikes.
        reader = cv2.CAP_FFMPEG if cv2.videoio_registry.hasBackend(cv2.CAP_FFMPEG) else cv2.CAP_ANY
        unopened = (
            "neither an image nor a video that can be read; if it is a video, it is truncated, damaged or in a format "
            "that this OpenCV does not know"
        )
        return _captured(str(self.path), str(self.path), unopened, reader)

    def frames(self) -> Iterator[Frame]:
        with self._open() as capture:
            number = yield from _frames(capture, self.path.stem)
        if number == 0:
            raise DataError(f"{self.path}: no frame of this video can be read; it is truncated or damaged")
        # A count that is worked out from the duration may be one too large.
        if self.total is not None and number < self.total - 1:
            early = "%s: the video ends early: it announces %d frames, %d could be read; it is truncated or damaged"
            logger.warning(early, self.path, self.total, number)


class _Camera:
    still, endless = False, True

    def __init__(self, index: int) -> None:
        self.index = index
        self.inputs: set[Path] = set()
        self.total: int | None = None
        with self._open():
            pass  # so that a camera that is not there is told before a model is loaded

    def _open(self) -> AbstractContextManager[Any]:
        unopened = "cannot be opened; is it connected, and free? The first camera is 0."
        return _captured(self.index, f"camera {self.index}", f"{unopened} (There is no file of that name either.)")

    def frames(self) -> Iterator[Frame]:
        with self._open() as capture:
            number = yield from _frames(capture, f"camera{self.index}")
        raise DataError(f"camera {self.index}: gives no more frames after {number}; was it disconnected?")


class _Network:
    still, endless = False, True

    def __init__(self, url: str) -> None:
        self.url, self.shown = url, shown_url(url)
        self.inputs: set[Path] = set()
        self.total: int | None = None
        if url.partition(":")[0].lower() not in STREAMED:
            raise DataError(f"{self.shown}: is not an address of a stream; those begin with {', '.join(STREAMED)}")
        with self._open():
            pass  # so that a dead address is told before a model is loaded

    def _open(self) -> AbstractContextManager[Any]:
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 1000 * TIMEOUT_S, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 1000 * TIMEOUT_S]
        unopened = (
            f"gives no stream within {TIMEOUT_S} s; is the address right, can it be reached from here, and does it "
            "send video?"
        )
        return _captured(self.url, self.shown, unopened, cv2.CAP_FFMPEG, limits)

    def frames(self) -> Iterator[Frame]:
        with self._open() as capture:
            number = yield from _frames(capture, "stream")
        if number == 0:
            raise DataError(f"{self.shown}: gives no frame that can be read within {TIMEOUT_S} s")
        logger.info("%s: the stream ended after %d frames", self.shown, number)


@contextmanager
def _captured(
    source: str | int, name: str, unopened: str, reader: int = cv2.CAP_ANY, options: Sequence[int] = ()
) -> Iterator[Any]:
    """OpenCV's capture of a file, camera or address, without what libraries print about sources that do not work."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # quiet; looked at when the first video is opened
    with opencv_silenced():
        capture = cv2.VideoCapture(source, reader, list(options))
    try:
        if not capture.isOpened():
            raise DataError(f"{name}: {unopened}")
        width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if width * height > MAX_PIXELS:
            raise DataError(f"{name}: the video claims frames of {width:.0f} x {height:.0f} pixels")
        yield capture
    finally:
        capture.release()


def _frames(capture: Any, name: str) -> Generator[Frame, None, int]:
    """The frames of a capture, numbered behind `name`; their number."""
    number = 0
    while True:
        with opencv_silenced():
            there, pixels = capture.read()
        if not there:
            return number
        number += 1
        yield Frame(PurePath(f"{name}_{number:06d}"), np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)))
