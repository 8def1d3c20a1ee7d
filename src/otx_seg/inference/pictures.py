"""Some images of a data set, their ground truth and what a model makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.samples import Sample, spread
from otx_seg.datasets import Subset
from otx_seg.datasets.loading.loader import read_pair
from otx_seg.inference.evaluate import matched
from otx_seg.labels import IGNORE_INDEX, Labels
from otx_seg.runtime.augmented_views import ONE_VIEW, AugmentedViews
from otx_seg.runtime.overlay import overlay
from otx_seg.runtime.predict_mask import SlidingWindow, predict_mask
from otx_seg.runtime.predictor import Predictor
from otx_seg.runtime.result_files import shrunk

_IMAGES = 6
_LONGEST_SIDE = 512  # pixels of a picture
_LIGHT, _WRONG = 120, (213, 94, 0)  # of an error map: what is added to halved grey values, and the colour of errors


@dataclass(frozen=True)
class Picture:
    """An image that is shrunk to 512 pixels on its longer side if it has more, and its masks.

    Attributes:
        name: path of the image relative to the images folder of its subset.
        image: uint8 (H, W, 3) RGB.
        truth, prediction: uint8 (H, W), indices of `labels`; where the truth is 255, it does not count.
    """

    name: str
    labels: Labels
    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    prediction: NDArray[np.uint8]

    def drawn(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        """The image, and the truth and the prediction drawn over it, each uint8 (H, W, 3) RGB."""
        truth, prediction = (overlay(self.image, mask, self.labels) for mask in (self.truth, self.prediction))
        return self.image, truth, prediction

    def errors(self) -> NDArray[np.uint8]:
        """Where the prediction is wrong: the image in light grey with these pixels in vermilion, and pixels whose truth
        does not count in white, uint8 (H, W, 3) RGB."""
        grey = cv2.cvtColor(self.image, cv2.COLOR_RGB2GRAY)
        drawn: NDArray[np.uint8] = cv2.cvtColor(grey // 2 + _LIGHT, cv2.COLOR_GRAY2RGB)
        drawn[self.truth != self.prediction] = _WRONG
        drawn[self.truth == IGNORE_INDEX] = 255
        return drawn


def pictures_of(predictor: Predictor, subset: Subset, limit: int = _IMAGES) -> tuple[Picture, ...]:
    """At most so many images of a subset, evenly spread over it, so that they are the same at each call.

    Raises:
        UsageError: the subset has labels the model does not know.
        DataError: an image or a mask cannot be read.
    """
    subset = matched(predictor.labels, subset)
    return tuple(_picture(predictor, subset, sample) for sample in spread(subset.samples, limit))


def pictures_called(
    names: Iterable[str],
    predictor: Predictor,
    subset: Subset,
    window: SlidingWindow | None = None,
    views: AugmentedViews = ONE_VIEW,
) -> Iterator[Picture]:
    """The images of a subset with these names, in this order, one at a time.

    Args:
        window, views: see `predict_mask`.

    Raises:
        UsageError, DataError: see `pictures_of`.
    """
    subset = matched(predictor.labels, subset)
    samples = {sample.name: sample for sample in subset.samples}
    for name in names:
        yield _picture(predictor, subset, samples[name], window, views)


def _picture(
    predictor: Predictor,
    subset: Subset,
    sample: Sample,
    window: SlidingWindow | None = None,
    views: AugmentedViews = ONE_VIEW,
) -> Picture:
    image, truth = read_pair(subset, sample)
    parts = (image, truth, predict_mask(predictor, image, window, views))
    return Picture(sample.name, subset.labels, *(shrunk(pixels, _LONGEST_SIDE) for pixels in parts))
