"""Masks and overlays of unlabelled images, and maps of the probabilities behind them, as files."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from otx_seg.inference.certainty import Certainty, CertaintyRecord
from otx_seg.inference.image_by_image import process_images
from otx_seg.inference.mask_coding import MaskCoding
from otx_seg.inference.predict_settings import CONFIDENCE, PROBABILITIES, PredictSettings
from otx_seg.labels import Labels
from otx_seg.runtime.augmented_views import ONE_VIEW
from otx_seg.runtime.images import read_image
from otx_seg.runtime.overlay import LEAST_NAMED, draw_legend, overlay
from otx_seg.runtime.path_filter import ALL_PATHS, PathFilter
from otx_seg.runtime.predict_mask import predict_mask
from otx_seg.runtime.predictor import Predictor
from otx_seg.runtime.result_files import ResultFiles, result_files, shrunk, write_picture, writing
from otx_seg.runtime.tiff_writing import write_tiff


@dataclass(frozen=True)
class Prediction:
    """One image and the files made from it.

    Attributes:
        confidence: PNG of the image's size, the probability of each pixel's label, 0..1 as 0 to 255 or 65535; None: it
            was not asked for.
        probabilities: TIFF with a page of such values for each label, in their order, which has the label's name; or
            None.
        certainty: figures of the image; None where neither was asked for.
    """

    image: Path
    files: ResultFiles
    confidence: Path | None = None
    probabilities: Path | None = None
    certainty: Certainty | None = None

    @property
    def written(self) -> tuple[Path, ...]:
        """All files."""
        maps = (self.confidence, self.probabilities)
        return (self.files.mask, self.files.overlay, *(path for path in maps if path is not None))


@dataclass(frozen=True)
class Predictions:
    """The outcome of `predict_images`: the written files, and the unreadable images with the reasons."""

    written: tuple[Prediction, ...]
    unreadable: tuple[tuple[Path, str], ...]


def predict_images(
    predictor: Predictor,
    source: Path,
    output: Path,
    how: PredictSettings | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    paths: PathFilter = ALL_PATHS,
) -> Predictions:
    """Write a mask and an overlay for an image, or for every image in a folder and below.

    An image ``sub/a.jpg`` gives ``sub/a.png`` and ``overlays/sub/a.jpg``, with a legend, in `output`, and if they are
    asked for ``confidence/sub/a.png`` and ``probabilities/sub/a.tif``; where two images differ in nothing but their
    suffix, it is kept: ``sub/a.jpg.png``. Unreadable images are logged and skipped.

    Args:
        source: an image or a folder.
        output: the folder to write to; made if missing. No file of `source` is ever overwritten.
        overwrite: replace files of the results' names, such as those of an earlier call.
        progress: called with the numbers of images done and to do.
        paths: which images of the folder.

    Raises:
        DataError: there is no image, or none could be read.
        UsageError: a result would overwrite an image, or another file without `overwrite`; or see
            `PathFilter.chosen`
            and `MaskCoding`.
        OtxError: a result cannot be written.
    """
    how = how or PredictSettings()
    coding = MaskCoding(predictor.labels, how.mask_values)

    def work(image: Path, name: PurePath) -> Prediction:
        return _predict(predictor, _planned(image, name, output, how), how, output, coding)

    def files_of(name: PurePath) -> tuple[Path, ...]:
        return _planned(Path(name), name, output, how).written

    return Predictions(*process_images(source, files_of, work, overwrite, progress, paths))


def _planned(image: Path, name: PurePath, output: Path, how: PredictSettings) -> Prediction:
    """Where the results of the image called `name` go."""
    confidence = output / CONFIDENCE / f"{name}.png" if CONFIDENCE in how.save else None
    probabilities = output / PROBABILITIES / f"{name}.tif" if PROBABILITIES in how.save else None
    return Prediction(image, result_files(output, name), confidence, probabilities)


def _predict(
    predictor: Predictor, planned: Prediction, how: PredictSettings, output: Path, coding: MaskCoding
) -> Prediction:
    """The prediction with all its files written."""
    image, views = read_image(planned.image), how.views or ONE_VIEW
    if not how.save:
        _write(planned, image, predict_mask(predictor, image, how.window, views), predictor.labels, coding)
        return planned
    size = (image.shape[0], image.shape[1])
    with writing(output), closing(CertaintyRecord(size, len(predictor.labels), how, output)) as record:
        _write(planned, image, predict_mask(predictor, image, how.window, views, record), predictor.labels, coding)
        del image
        if planned.confidence is not None:
            assert record.confidence is not None
            write_picture(planned.confidence, record.confidence)
        if planned.probabilities is not None:
            write_tiff(planned.probabilities, record.probability_maps(), record.nbytes, predictor.labels.names)
        return replace(planned, certainty=record.figures())


def _write(
    planned: Prediction, image: NDArray[np.uint8], mask: NDArray[np.uint8], labels: Labels, coding: MaskCoding
) -> None:
    # Shrunk before they are tinted: of a large image there is no room for another of its size.
    small = shrunk(mask)
    drawn = overlay(shrunk(image), small, labels)
    if len(drawn) >= LEAST_NAMED:
        draw_legend(drawn, small, labels)
    planned.files.write(coding(mask), drawn)
