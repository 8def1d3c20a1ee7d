"""Holes in images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from otx_seg.transforms.ranges import interval, number


class CutOut:
    """Blacken random rectangles of an image; its mask stays (DeVries & Taylor 2017, https://arxiv.org/abs/1708.04552).

    What is hidden must then be told from its surroundings.
    """

    def __init__(self, probability: float, holes: Sequence[int], side: Sequence[float]) -> None:
        """Set the ranges to draw from, each uniformly.

        Args:
            probability: chance that an image gets holes, 0..1.
            holes: (fewest, most) rectangles, 1..100.
            side: (low, high) of a rectangle's height and width as a share of the image's, drawn apart, 0..1.

        Raises:
            ValueError: a number is out of its range.
        """
        self.probability = number("probability", probability, 0, 1)
        fewest, most = interval("holes", holes, 1, 100)
        self.holes = int(fewest), int(most)
        self.side = interval("side", side, 0, 1)

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See `pipeline.Transform`."""
        if rng.random() >= self.probability:
            return image, mask
        image = image.copy()
        for _ in range(rng.integers(*self.holes, endpoint=True)):
            sides = [max(1, round(rng.uniform(*self.side) * whole)) for whole in image.shape[:2]]
            top, left = (
                int(rng.integers(0, whole - part + 1)) for whole, part in zip(image.shape, sides, strict=False)
            )
            image[top : top + sides[0], left : left + sides[1]] = 0
        return image, mask
