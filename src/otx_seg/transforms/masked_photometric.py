"""Changed colours and lighting, stronger in some parts of the image than in others."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from otx_seg.transforms.ranges import interval, number

_LUMA = np.array([0.299, 0.587, 0.114])  # of red, green, blue: ITU-R BT.601
_CELLS = (2, 8)  # coarsest and finest noise grid per side: from one gradient over the image to patches of an eighth


class MaskedPhotometric:
    """Mix an image with a version of other brightness, contrast, saturation and hue through a random smooth mask.

    1. Draw the four changes of Liu et al., "SSD" (https://arxiv.org/abs/1512.02325, section 3.6 of its code's
       photometric distortion) and compose them into one affine map of colours. Saturation and hue are the linear
       ones of Haeberli, "Matrix Operations for Image Processing" (1993): towards grey of the same luma, and
       around the grey axis; unlike a detour over HSV, this takes a single pass.
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
        """Set the ranges to draw from, each uniformly.

        Args:
            probability: chance that an image is changed at all, 0..1.
            brightness: largest shift either way in levels, 0..255.
            contrast: (low, high) of the factor on all channels, 0..10.
            saturation: (low, high) of the factor on the distance from grey, 0..10.
            hue: largest rotation either way in degrees, 0..180.

        Raises:
            ValueError: a number is out of its range.
        """
        self.probability = number("probability", probability, 0, 1)
        self.brightness = number("brightness", brightness, 0, 255)
        self.contrast = interval("contrast", contrast, 0, 10)
        self.saturation = interval("saturation", saturation, 0, 10)
        self.hue = number("hue", hue, 0, 180)

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw a change.

        Args:
            image: uint8 (H, W, 3), RGB.
            mask: (H, W), handed through.
            rng: where every random number comes from.

        Returns:
            the changed image, uint8 (H, W, 3), a new array if it was changed, and the mask.
        """
        if rng.random() >= self.probability:
            return image, mask
        changed = cv2.transform(image, self._draw_colors(rng))
        noise = _draw_noise(image.shape[0], image.shape[1], rng)
        return cv2.blendLinear(image, changed, 1 - noise, noise), mask

    def _draw_colors(self, rng: np.random.Generator) -> np.ndarray:
        """The affine map (3, 4) of RGB colours."""
        shift = rng.uniform(-self.brightness, self.brightness)
        contrast = rng.uniform(*self.contrast)
        saturation = rng.uniform(*self.saturation)
        hue = math.radians(rng.uniform(-self.hue, self.hue))
        towards_grey = saturation * np.eye(3) + (1 - saturation) * _LUMA
        colors = contrast * _around_grey(hue) @ towards_grey
        return np.column_stack((colors, np.full(3, shift)))


def _around_grey(angle: float) -> np.ndarray:
    """Rotation (3, 3) of colours by `angle` radians around the axis red = green = blue (Rodrigues' formula)."""
    cosine, sine = math.cos(angle), math.sin(angle)
    axis = 1 / math.sqrt(3)
    across = np.array([[0, -axis, axis], [axis, 0, -axis], [-axis, axis, 0]])
    return cosine * np.eye(3) + sine * across + (1 - cosine) / 3


def _draw_noise(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise, float32 (height, width) from 0 to 1; both ends are reached on the grid it is drawn on."""
    cells = int(rng.integers(_CELLS[0], _CELLS[1], endpoint=True))
    grid = rng.random((cells, cells), dtype=np.float32)
    grid = (grid - grid.min()) / max(float(np.ptp(grid)), 1e-6)
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
