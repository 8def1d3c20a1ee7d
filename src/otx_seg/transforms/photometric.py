"""Changed colours and lighting of a whole image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from otx_seg.transforms.ranges import interval, number

_LUMA = np.array([0.299, 0.587, 0.114])  # of red, green, blue: ITU-R BT.601


class Photometric:
    """Change brightness, contrast, saturation and hue of an image at random.

    The four changes are those of Liu et al., "SSD" (https://arxiv.org/abs/1512.02325, section 3.6 of its code's
    photometric distortion), composed into one affine map of colours. Saturation and hue are the linear ones of
    Haeberli, "Matrix Operations for Image Processing" (1993): towards grey of the same luma, and around the grey axis;
    unlike a detour over HSV, this takes a single pass.
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
        """See `pipeline.Transform`."""
        if rng.random() >= self.probability:
            return image, mask
        return cv2.transform(image, self._draw_colors(rng)), mask

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
