"""One interface to a model, whichever program runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from otx_seg.labels import Labels
from otx_seg.runtime.masks import PostProcessing

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
