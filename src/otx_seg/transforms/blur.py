"""Images out of focus."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from otx_seg.transforms.ranges import interval, number


class Blur:
    """Blur some images with a Gaussian of random width."""

    def __init__(self, probability: float, sigma: Sequence[float]) -> None:
        """
        Args:
            probability: chance that an image is blurred, 0..1.
            sigma: (low, high) of the standard deviation in pixels, drawn uniformly, 0.1..50.

        Raises:
            ValueError: a number is out of its range.
        """
        self.probability = number("probability", probability, 0, 1)
        self.sigma = interval("sigma", sigma, 0.1, 50)

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See `pipeline.Transform`."""
        if rng.random() >= self.probability:
            return image, mask
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(*self.sigma)), mask
