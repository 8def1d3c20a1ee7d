"""Saliency maps of a network: one for each label, or one for all of them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.runtime.predictor import Activations


def probability(seen: Activations) -> NDArray[np.float32]:
    """The probability of each label, float32 (K, H, W), 0..1."""
    return seen.probabilities


def class_wise(seen: Activations) -> NDArray[np.float32]:
    """What in the feature map speaks for each label: float32 (K, h, w), 0 or more.

    Seg-Grad-CAM (Vinogradova et al., 2020, https://arxiv.org/abs/2002.11434) weighs the channels of a feature map with
    the mean gradients of a label's logits and cuts off what is negative. Where a 1x1 convolution makes the logits of
    the feature map, these gradients are its weights but for a common factor, whichever pixels are asked about: no
    gradient has to be computed, and an exported model can tell.
    """
    return np.maximum(seen.class_activation, np.float32(0))


def activation(seen: Activations) -> NDArray[np.float32]:
    """How strongly the network responds at each place: the mean over the channels, float32 (1, h, w)."""
    mean: NDArray[np.float32] = seen.feature_map.mean(axis=0, keepdims=True)
    return mean


def eigen(seen: Activations) -> NDArray[np.float32]:
    """What differs most between the places of an image: Eigen-CAM, float32 (1, h, w), with mean 0.

    The feature map's projection on the first principal component of its channels (Muhammad and Yeasin, 2020,
    https://arxiv.org/abs/2008.00299). The sign of a principal component is arbitrary; the one is taken with which the
    map rises where the mean over the channels does.
    """
    channels = seen.feature_map.shape[0]
    places = seen.feature_map.reshape(channels, -1).astype(np.float64)
    centred = places - places.mean(axis=1, keepdims=True)
    _, components = np.linalg.eigh(centred @ centred.T)  # in the order of rising variance
    first = components[:, -1]
    projected = first @ centred * (1 if first.sum() >= 0 else -1)
    result: NDArray[np.float32] = projected.reshape(1, *seen.feature_map.shape[1:]).astype(np.float32)
    return result


SCALE: NDArray[np.uint8] = np.asarray(
    cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_JET)[:, 0, ::-1]
)
"""The colours from low to high, uint8 (256, 3) RGB."""


def heat_map(values: NDArray[np.float32], size: tuple[int, int], limits: tuple[float, float]) -> NDArray[np.uint8]:
    """A map enlarged bilinearly and coloured: from blue, low, through green and yellow to red, high.

    Args:
        values: float32 (h, w).
        size: (height, width) in pixels of the result.
        limits: the values that become the bluest blue and the reddest red. If they are equal, all is blue.

    Returns:
        uint8 (height, width, 3) RGB, OpenCV's colour map ``COLORMAP_JET``.
    """
    lowest, highest = limits
    scale = 255 / (highest - lowest) if highest > lowest else 0.0
    levels = cv2.resize((values - np.float32(lowest)) * np.float32(scale), size[::-1], interpolation=cv2.INTER_LINEAR)
    np.clip(np.rint(levels, out=levels), 0, 255, out=levels)
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(levels.astype(np.uint8), cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB))
