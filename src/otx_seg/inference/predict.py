"""Masks and overlays of unlabelled images, as files."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from otx_seg.inference.image_by_image import process_images
from otx_seg.labels import Labels
from otx_seg.runtime.augmented_views import ONE_VIEW, AugmentedViews
from otx_seg.runtime.images import read_image
from otx_seg.runtime.overlay import LEAST_NAMED, draw_legend, overlay
from otx_seg.runtime.path_filter import ALL_PATHS, PathFilter
from otx_seg.runtime.predict_mask import SlidingWindow, predict_mask
from otx_seg.runtime.predictor import Predictor
from otx_seg.runtime.result_files import ResultFiles, result_files, shrunk


@dataclass(frozen=True)
class Prediction:
    """One image and the files made from it."""

    image: Path
    files: ResultFiles


@dataclass(frozen=True)
class Predictions:
    """The outcome of `predict_images`: the written files, and the unreadable images with the reasons."""

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
    paths: PathFilter = ALL_PATHS,
) -> Predictions:
    """Write a mask and an overlay for an image, or for every image in a folder and below.

    An image ``sub/a.jpg`` gives ``sub/a.png`` and ``overlays/sub/a.jpg``, with a legend, in `output`; where two images
    differ in nothing but their suffix, it is kept: ``sub/a.jpg.png``. Unreadable images are logged and skipped.

    Args:
        source: an image or a folder.
        output: the folder to write to; made if missing. No file of `source` is ever overwritten.
        overwrite: replace files of the results' names, such as those of an earlier call.
        progress: called with the numbers of images done and to do.
        window, views: see `predict_mask`.
        paths: which images of the folder.

    Raises:
        DataError: there is no image, or none could be read.
        UsageError: a result would overwrite an image, or another file without `overwrite`; or see
            `PathFilter.chosen`.
        OtxError: a result cannot be written.
    """
    draw = functools.partial(predict_mask, predictor, window=window, views=views)

    def files_of(name: PurePath) -> tuple[Path, Path]:
        files = result_files(output, name)
        return files.mask, files.overlay

    def work(image: Path, name: PurePath) -> Prediction:
        files = result_files(output, name)
        _write(image, files, draw, predictor.labels)
        return Prediction(image, files)

    return Predictions(*process_images(source, files_of, work, overwrite, progress, paths))


def _write(
    source: Path, files: ResultFiles, draw: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], labels: Labels
) -> None:
    image = read_image(source)
    mask = draw(image)
    # Shrunk before they are tinted: of a large image there is no room for another of its size.
    small = shrunk(mask)
    drawn = overlay(shrunk(image), small, labels)
    del image
    if len(drawn) >= LEAST_NAMED:
        draw_legend(drawn, small, labels)
    files.write(mask, drawn)
