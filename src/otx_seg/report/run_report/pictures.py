"""The pictures of a report: the worst, median and best images with truth, prediction and errors, as JPEG files."""

from __future__ import annotations

import shutil

import numpy as np

from otx_seg.datasets import Subset
from otx_seg.inference.pictures import Picture, pictures_called
from otx_seg.labels import IGNORE_INDEX
from otx_seg.metrics.counted_images import CountedImages, RankedImage
from otx_seg.report.page import as_jpeg
from otx_seg.report.run_report.record import ShownImage
from otx_seg.runtime.augmented_views import ONE_VIEW, AugmentedViews
from otx_seg.runtime.predict_mask import SlidingWindow
from otx_seg.runtime.predictor import Predictor
from otx_seg.workspace.atomic import write_atomic
from otx_seg.workspace.run_folder import RunFolder

PICTURES = ("image", "truth", "prediction", "errors")
"""What is drawn of each image, in this order: ``worst_1_truth.jpg``."""
_OF_EACH_RANK = 3


def write_pictures(
    counted: CountedImages,
    predictor: Predictor,
    subset: Subset,
    run: RunFolder,
    window: SlidingWindow | None = None,
    views: AugmentedViews = ONE_VIEW,
) -> tuple[ShownImage, ...]:
    """Predict a few of the images again and draw them beside `RunFolder.page_record`; earlier pictures are removed.

    Args:
        counted: how the model did on each image of `subset`.
        window, views: with which it did so.

    Raises:
        DataError: an image or a mask can no longer be read.
        OSError: a picture cannot be written.
    """
    folder = run.page_record.parent
    shutil.rmtree(folder, ignore_errors=True)
    ranked = counted.ranked(_OF_EACH_RANK)
    pictures = pictures_called([image.name for image in ranked], predictor, subset, window, views)
    shown = []
    for number, (image, picture) in enumerate(zip(ranked, pictures, strict=True), start=1):
        shown.append(_described(image, picture, f"{number:02}_{image.rank}"))
        for name, pixels in zip(PICTURES, (*picture.drawn(), picture.errors()), strict=True):
            write_atomic(folder / f"{shown[-1].file}_{name}.jpg", as_jpeg(pixels))
    return tuple(shown)


def _described(image: RankedImage, picture: Picture, file: str) -> ShownImage:
    labels = np.union1d(picture.truth, picture.prediction)
    counts = picture.truth != IGNORE_INDEX
    wrong = (picture.truth != picture.prediction)[counts]
    share = float(wrong.mean()) if wrong.size else 0.0
    named = tuple(int(label) for label in labels if label != IGNORE_INDEX)
    return ShownImage(image.name, image.rank, image.dice, file, named, share)
