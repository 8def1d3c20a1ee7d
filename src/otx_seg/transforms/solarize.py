"""Images whose bright parts are inverted."""

from __future__ import annotations

import numpy as np

from otx_seg.transforms.ranges import number


class Solarize:
    """Invert the values of some images from a threshold on, each channel by itself, as BYOL's views do.

    Grill et al., "Bootstrap your own latent" (2020, https://arxiv.org/abs/2006.07733), appendix B.
    """

    def __init__(self, probability: float, threshold: float) -> None:
        """
        Args:
            probability: chance that an image is changed, 0..1.
            threshold: smallest value v that becomes 255 - v, 0..256.

        Raises:
            ValueError: a number is out of its range.
        """
        self.probability = number("probability", probability, 0, 1)
        values = np.arange(256)
        self.table = np.where(values >= number("threshold", threshold, 0, 256), 255 - values, values).astype(np.uint8)

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See `pipeline.Transform`."""
        if rng.random() >= self.probability:
            return image, mask
        return self.table[image], mask
