"""Masks and overlays of unlabelled images, as files."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import DataError
from otx_seg.labels import Labels
from otx_seg.runtime.augmented_views import ONE_VIEW, AugmentedViews
from otx_seg.runtime.images import images_in, read_image
from otx_seg.runtime.overlay import overlay
from otx_seg.runtime.predictor import Predictor, predict_mask
from otx_seg.runtime.result_files import ResultFiles, result_files, shrunk, unique_names
from otx_seg.runtime.sliding_window import SlidingWindow

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prediction:
    """One image and the files made from it."""

    image: Path
    files: ResultFiles


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
    nothing but their suffix, it is kept: ``sub/a.jpg.png``. Images that cannot be read are logged and skipped.

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
            logger.warning("skipped: %s", error)
        if progress is not None:
            progress(number, len(planned))
    if not written:
        raise DataError(f"{source}: none of {len(images)} images could be read; the first: {unreadable[0][1]}")
    return Predictions(tuple(written), tuple(unreadable))


def _plan(images: list[Path], root: Path, output: Path, overwrite: bool) -> list[Prediction]:
    """Name the results of every image, and make sure that they replace neither an image nor anything else."""
    inputs = {image.resolve() for image in images}
    planned = []
    for image, name in zip(images, unique_names([image.relative_to(root) for image in images]), strict=True):
        files = result_files(output, name)
        files.check(inputs, overwrite)
        planned.append(Prediction(image, files))
    return planned


def _write(prediction: Prediction, draw: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], labels: Labels) -> None:
    image = read_image(prediction.image)
    mask = draw(image)
    # Shrunk before they are tinted: of a large image there is no room for another of its size.
    drawn = overlay(shrunk(image), shrunk(mask), labels)
    del image
    prediction.files.write(mask, drawn)
