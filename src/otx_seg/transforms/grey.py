"""Images without colour."""

from __future__ import annotations

import cv2
import numpy as np

from otx_seg.transforms.ranges import number


class Grey:
    """Replace the colours of some images by their luma (ITU-R BT.601)."""

    def __init__(self, probability: float) -> None:
        """
        Args:
            probability: chance that an image loses its colours, 0..1.

        Raises:
            ValueError: it is out of range.
        """
        self.probability = number("probability", probability, 0, 1)

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See `pipeline.Transform`."""
        if rng.random() >= self.probability:
            return image, mask
        return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), mask
