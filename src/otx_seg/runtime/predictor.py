"""One interface to a model, whichever program runs it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from otx_seg.labels import Labels
from otx_seg.runtime.augmented_views import ONE_VIEW, AugmentedViews, probabilities_of
from otx_seg.runtime.crops import whole
from otx_seg.runtime.masks import PostProcessing, mask_at
from otx_seg.runtime.sliding_window import SlidingWindow, mask_by_windows

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["torch", "openvino", "onnx"]


class Predictor(Protocol):
    """A segmentation model that is ready to run.

    Attributes:
        kind: the program that runs it.
        labels: the K labels, in the order of the model's outputs.
        input_size: (height, width) in pixels of the images it takes.
        template: the resolved template it was made from, as plain values, or None if the weights do not tell.
        post_processing: what `mask_at` is to do with its probabilities.
    """

    @property
    def kind(self) -> Kind: ...

    @property
    def labels(self) -> Labels: ...

    @property
    def input_size(self) -> tuple[int, int]: ...

    @property
    def template(self) -> dict[str, Any] | None: ...

    @property
    def post_processing(self) -> PostProcessing: ...

    def probabilities(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.float32]:
        """The probability of each label at each pixel.

        Args:
            images: uint8 RGB (B, 3, h, w) of the model's input size.

        Returns:
            float32 (B, K, h, w); they sum to 1 over K.
        """
        ...


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
