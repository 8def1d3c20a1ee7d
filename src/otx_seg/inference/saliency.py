"""Maps of what a network decided on: one for each label, or one for all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otx_seg.runtime.activations import Activations


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
