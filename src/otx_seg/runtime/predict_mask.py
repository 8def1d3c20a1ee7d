"""From an image to its mask."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from otx_seg.runtime.augmented_views import ONE_VIEW, AugmentedViews, probabilities_of
from otx_seg.runtime.crops import whole
from otx_seg.runtime.masks import mask_at
from otx_seg.runtime.predictor import Predictor
from otx_seg.runtime.sliding_window import SlidingWindow, mask_by_windows


def predict_mask(
    predictor: Predictor,
    image: NDArray[np.uint8],
    window: SlidingWindow | None = None,
    views: AugmentedViews = ONE_VIEW,
) -> NDArray[np.uint8]:
    """The label of every pixel of an image.

    Args:
        image: uint8 RGB (H, W, 3).
        window: cut the image into such overlapping parts, each resized to the model's input size; None: resize all of
            it.
        views: looks to average.

    Returns:
        uint8 (H, W), values 0..K-1.

    Raises:
        UsageError: the window is much smaller than the model's input size.
    """
    size = (image.shape[0], image.shape[1])
    if window is None or (window.height >= size[0] and window.width >= size[1]):
        return mask_at(probabilities_of(predictor, image, whole(image), views), size, predictor.post_processing)
    look = functools.partial(probabilities_of, predictor, image, views=views)
    classes = len(predictor.labels)
    return mask_by_windows(look, classes, size, predictor.input_size, window, predictor.post_processing)
