"""Masks and overlays of unlabelled images, as files."""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import DataError, OtxError, UsageError
from otx_seg.labels import Labels
from otx_seg.runtime.augmented_views import ONE_VIEW, AugmentedViews
from otx_seg.runtime.images import images_in, read_image
from otx_seg.runtime.overlay import overlay
from otx_seg.runtime.predictor import Predictor, predict_mask
from otx_seg.runtime.sliding_window import SlidingWindow
from otx_seg.workspace.atomic import write_atomic

OVERLAYS = "overlays"
_JPEG_QUALITY = 90
_OVERLAY_SIDE = 8_000
"""Pixels of an overlay's longer side at most: it is for looking at, and few viewers open more."""


@dataclass(frozen=True)
class Prediction:
    """One image and the files made from it.

    Attributes:
        mask: PNG of the image's size, 8-bit grey, the value of a pixel is the index of its label.
        overlay: JPEG of the image with the labels' colours, shrunk to 8,000 pixels on its longer side if it has more.
    """

    image: Path
    mask: Path
    overlay: Path


@dataclass(frozen=True)
class Predictions:
    """The outcome of `predict_images`: what was written, and which images could not be read and why."""

    written: tuple[Prediction, ...]
    unreadable: tuple[tuple[Path, str], ...]


def predict_images(
    predictor: Predictor,
    source: Path,
    output: Path,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    window: SlidingWindow | None = None,
    views: AugmentedViews = ONE_VIEW,
) -> Predictions:
    """Write a mask and an overlay for an image, or for every image in a folder and below.

    An image ``sub/a.jpg`` gives ``sub/a.png`` and ``overlays/sub/a.jpg`` in `output`; where two images differ in
    nothing but their suffix, it is kept: ``sub/a.jpg.png``.

    Args:
        source: an image or a folder.
        output: the folder to write to; made if missing. No file of `source` is ever overwritten.
        overwrite: replace files of the results' names, such as those of an earlier call.
        progress: called with the numbers of images done and to do.
        window, views: see `predict_mask`.

    Raises:
        DataError: there is no image, or none could be read.
        UsageError: a result would overwrite an image, or another file without `overwrite`.
        OtxError: a result cannot be written.
    """
    images = images_in(source)
    planned = _plan(images, source if source.is_dir() else source.parent, output, overwrite)
    draw = functools.partial(predict_mask, predictor, window=window, views=views)
    written, unreadable = [], []
    for number, prediction in enumerate(planned, start=1):
        try:
            _write(prediction, draw, predictor.labels)
            written.append(prediction)
        except DataError as error:
            unreadable.append((prediction.image, str(error)))
        if progress is not None:
            progress(number, len(planned))
    if not written:
        raise DataError(f"{source}: none of {len(images)} images could be read; the first: {unreadable[0][1]}")
    return Predictions(tuple(written), tuple(unreadable))


def _plan(images: list[Path], root: Path, output: Path, overwrite: bool) -> list[Prediction]:
    """Name the results of every image, and make sure that they replace neither an image nor anything else."""
    names = _unique_names([image.relative_to(root) for image in images])
    planned = [
        Prediction(image, output / f"{name}.png", output / OVERLAYS / f"{name}.jpg")
        for image, name in zip(images, names, strict=True)
    ]
    inputs = {image.resolve() for image in images}
    for result in (path for prediction in planned for path in (prediction.mask, prediction.overlay)):
        if result.resolve() in inputs:
            raise UsageError(f"{result}: is one of the images and would be overwritten; choose another --output")
        if result.exists() and not overwrite:
            raise UsageError(f"{result}: exists; choose another --output, or allow replacing it with --overwrite")
    return planned


def _unique_names(relative: list[Path]) -> list[PurePath]:
    """Names without suffix; with it where they would be the same, also on disks that ignore upper and lower case."""
    uses = Counter(_folded(path.with_suffix("")) for path in relative)
    taken: set[str] = set()
    names: list[PurePath] = []
    for path in relative:
        name = path.with_suffix("") if uses[_folded(path.with_suffix(""))] == 1 else path
        number = 2
        while _folded(name) in taken:
            name = path.with_name(f"{path.name}_{number}")
            number += 1
        taken.add(_folded(name))
        names.append(name)
    return names


def _folded(path: PurePath) -> str:
    return unicodedata.normalize("NFC", path.as_posix()).casefold()


def _write(prediction: Prediction, draw: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], labels: Labels) -> None:
    image = read_image(prediction.image)
    mask = draw(image)
    drawn = _small_overlay(image, mask, labels)
    del image  # of a large one there is no room for another of its size
    try:
        write_atomic(prediction.mask, _encoded(".png", mask))
        write_atomic(prediction.overlay, _encoded(".jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR)))
    except OSError as error:
        raise OtxError(f"{error.filename or prediction.mask}: cannot be written ({error.strerror})") from error


def _small_overlay(image: NDArray[np.uint8], mask: NDArray[np.uint8], labels: Labels) -> NDArray[np.uint8]:
    scale = _OVERLAY_SIDE / max(mask.shape)
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in mask.shape[::-1])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
    return overlay(image, mask, labels)


def _encoded(suffix: str, pixels: NDArray[np.uint8]) -> bytes:
    parameters = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if suffix == ".jpg" else []
    _, content = cv2.imencode(suffix, pixels, parameters)
    return content.tobytes()
