"""A random view of an image and its mask at the input size of the network."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from otx_seg.labels import IGNORE_INDEX
from otx_seg.transforms.ranges import interval, number

_TRIES = 10  # crops looked at before one that is too uniform is taken after all; mmsegmentation's number
_STEP = 4  # the share of a label is measured on every fourth pixel of every fourth row
_LONGEST_SIDE = 32766  # of what cv2.warpAffine can read


class RandomView:
    """Resize, crop, flip and rotate an image and its mask, all in a single warp.

    1. Resize to `size` times a random ratio: ratio 1 is what validation shows, which squashes an image to `size`.
    2. Crop `size` at a random place; a smaller image is placed at random in the window. Where a single label
       covers more than `single_label_limit` of the labelled pixels, another place is drawn, up to 10 times.
    3. Mirror left and right.
    4. Rotate about the centre of the window.

    What lies outside the image becomes black, and 255 (not counted) in the mask. The image is sampled bilinearly,
    without a low-pass filter, because validation and the exported model's users resize that way too.
    """

    def __init__(
        self,
        size: tuple[int, int],
        scale_range: Sequence[float],
        single_label_limit: float,
        flip_probability: float,
        rotation_degrees: float = 0.0,
        rotation_probability: float = 0.0,
    ) -> None:
        """Set the ranges to draw from.

        Args:
            size: (H, W) of the result in pixels, each 1 or more.
            scale_range: (low, high) of the ratio, drawn uniformly, 0.01..100.
            single_label_limit: largest accepted share of one label among the labelled pixels, 0..1; 1 accepts all.
            flip_probability: chance of a mirror image, 0..1.
            rotation_degrees: largest angle either way, drawn uniformly, 0..180.
            rotation_probability: chance of a rotation, 0..1.

        Raises:
            ValueError: a number is out of its range.
        """
        self.height, self.width = (int(number("size", side, 1, _LONGEST_SIDE)) for side in size)
        self.scale_range = interval("scale_range", scale_range, 0.01, 100)
        self.single_label_limit = number("single_label_limit", single_label_limit, 0, 1)
        self.flip_probability = number("flip_probability", flip_probability, 0, 1)
        self.rotation_degrees = number("rotation_degrees", rotation_degrees, 0, 180)
        self.rotation_probability = number("rotation_probability", rotation_probability, 0, 1)

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See `pipeline.Transform`; both are new arrays, (H, W) pixels large."""
        image, mask = _readable(image, cv2.INTER_AREA), _readable(mask, cv2.INTER_NEAREST)
        ratio = rng.uniform(*self.scale_range)
        turn = self._draw_turn(rng)
        for _ in range(_TRIES):
            to_source = self._matrix(mask.shape, ratio, turn, rng.random(2))
            if self.single_label_limit == 1 or self._largest_share(mask, to_source) <= self.single_label_limit:
                break
        window = (self.width, self.height)
        view = cv2.warpAffine(image, to_source, window, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        truth = _warp_mask(mask, to_source, window)
        return view, truth

    def _draw_turn(self, rng: np.random.Generator) -> np.ndarray:
        """The rotation and reflection (2, 2) from window to resized image."""
        flip = -1.0 if rng.random() < self.flip_probability else 1.0
        angle = 0.0
        if rng.random() < self.rotation_probability:
            angle = math.radians(rng.uniform(-self.rotation_degrees, self.rotation_degrees))
        cosine, sine = math.cos(angle), math.sin(angle)
        return np.array([[cosine * flip, -sine], [sine * flip, cosine]])

    def _matrix(self, shape: tuple[int, ...], ratio: float, turn: np.ndarray, place: np.ndarray) -> np.ndarray:
        """The affine map (2, 3) from window coordinates (x, y) to source coordinates, pixel centres at integers.

        `place` (2,), each 0..1, says where in the free room the window lies; the room is negative for ratios below 1.
        """
        window = np.array([self.width, self.height])
        resized = ratio * window
        scale = resized / (shape[1], shape[0])
        centre = (window - 1) / 2
        shift = centre - turn @ centre + place * (resized - window)
        return np.column_stack((turn / scale[:, None], (shift + 0.5) / scale - 0.5))

    def _largest_share(self, mask: np.ndarray, to_source: np.ndarray) -> float:
        """Share of the most frequent label among the labelled pixels of a view, 0 when there are none."""
        coarse = to_source.copy()
        coarse[:, :2] *= _STEP
        coarse[:, 2] += to_source[:, :2].sum(axis=1) * (_STEP - 1) / 2
        window = (max(1, self.width // _STEP), max(1, self.height // _STEP))
        counts = np.bincount(_warp_mask(mask, coarse, window).ravel(), minlength=IGNORE_INDEX + 1)[:IGNORE_INDEX]
        return float(counts.max() / max(1, counts.sum()))


def _warp_mask(mask: np.ndarray, to_source: np.ndarray, window: tuple[int, int]) -> np.ndarray:
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(mask, to_source, window, flags=flags, borderValue=IGNORE_INDEX)


def _readable(pixels: np.ndarray, interpolation: int) -> np.ndarray:
    """`pixels`, shrunk along a side that is too long for the warp."""
    height, width = pixels.shape[:2]
    if max(height, width) <= _LONGEST_SIDE:
        return pixels
    return cv2.resize(pixels, (min(width, _LONGEST_SIDE), min(height, _LONGEST_SIDE)), interpolation=interpolation)
