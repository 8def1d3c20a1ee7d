"""Changed colours and lighting, stronger in some parts of the image than in others."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from otx_seg.transforms.photometric import Photometric
from otx_seg.transforms.ranges import number

_CELLS = (2, 8)  # coarsest and finest noise grid per side: from one gradient over the image to patches of an eighth


class MaskedPhotometric:
    """Mix an image with a version of other brightness, contrast, saturation and hue through a random smooth mask.

    1. Draw a change of colours as `Photometric` does.
    2. Draw a coarse grid of noise, enlarge it to the image and stretch it to 0..1.
    3. The result is (1 - noise) times the image plus noise times its changed version.
    """

    def __init__(
        self,
        probability: float,
        brightness: float,
        contrast: Sequence[float],
        saturation: Sequence[float],
        hue: float,
    ) -> None:
        """Set the ranges to draw from, see `Photometric`.

        Args:
            probability: chance that an image is changed at all, 0..1.
            brightness, contrast, saturation, hue: see `Photometric`.

        Raises:
            ValueError: a number is out of its range.
        """
        self.probability = number("probability", probability, 0, 1)
        self.change = Photometric(1.0, brightness, contrast, saturation, hue)

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See `pipeline.Transform`."""
        if rng.random() >= self.probability:
            return image, mask
        changed, _ = self.change(image, mask, rng)
        noise = _draw_noise(image.shape[0], image.shape[1], rng)
        return cv2.blendLinear(image, changed, 1 - noise, noise), mask


def _draw_noise(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise, float32 (height, width) from 0 to 1; both ends are reached on the grid it is drawn on."""
    cells = int(rng.integers(_CELLS[0], _CELLS[1], endpoint=True))
    grid = rng.random((cells, cells), dtype=np.float32)
    grid = (grid - grid.min()) / max(float(np.ptp(grid)), 1e-6)
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
