"""A predictor that differs from another one in nothing but how its probabilities come about."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from otx_seg.runtime.predictor import Predictor


class AlteredPredictor:
    """A `Predictor` with the labels, the input size and all else of another one."""

    def __init__(
        self, original: Predictor, probabilities: Callable[[NDArray[np.uint8] | Tensor], NDArray[np.float32]]
    ) -> None:
        """
        Args:
            probabilities: what stands for `Predictor.probabilities`.
        """
        self.kind = original.kind
        self.labels = original.labels
        self.input_size = original.input_size
        self.template: dict[str, Any] | None = original.template
        self.post_processing = original.post_processing
        self._probabilities = probabilities

    def probabilities(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.float32]:
        """See `Predictor.probabilities`."""
        return self._probabilities(images)
