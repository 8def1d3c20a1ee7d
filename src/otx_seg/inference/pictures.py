"""Some images of a data set, their ground truth and what a model makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.samples import spread
from otx_seg.datasets import Subset
from otx_seg.datasets.loading.loader import read_pair
from otx_seg.inference.evaluate import matched
from otx_seg.labels import Labels
from otx_seg.runtime.overlay import overlay
from otx_seg.runtime.predict_mask import predict_mask
from otx_seg.runtime.predictor import Predictor
from otx_seg.runtime.result_files import shrunk

_IMAGES = 6
_LONGEST_SIDE = 512  # pixels of a picture


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


def pictures_of(predictor: Predictor, subset: Subset, limit: int = _IMAGES) -> tuple[Picture, ...]:
    """At most so many images of a subset, evenly spread over it, so that they are the same at each call.

    Raises:
        UsageError: the subset has labels the model does not know.
        DataError: an image or a mask cannot be read.
    """
    pictures, subset = [], matched(predictor.labels, subset)
    for sample in spread(subset.samples, limit):
        image, truth = read_pair(subset, sample)
        masks = (image, truth, predict_mask(predictor, image))
        pictures.append(Picture(sample.name, subset.labels, *(shrunk(pixels, _LONGEST_SIDE) for pixels in masks)))
    return tuple(pictures)
