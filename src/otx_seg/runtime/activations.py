"""What a network saw before it decided, and the names by which exported models keep it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import UsageError

FEATURE_VECTOR = "feature_vector"
"""An output of models exported with features, (1, C), the mean of the feature map. Model API of OpenVINO knows it."""

FEATURE_MAP, CLASS_ACTIVATION = "feature_map", "class_activation"
"""Values inside such a model. They are no outputs, since Model API takes no more than one beside the probabilities;
who wants them makes them outputs when he opens the model."""


@dataclass(frozen=True)
class Activations:
    """One image inside a network.

    Attributes:
        probabilities: float32 (K, H, W), of the network's input size.
        feature_map: float32 (C, h, w), what the last layer classifies, mostly coarser than the input.
        class_activation: float32 (K, h, w), each label's sum over the feature map, weighted as by the last layer; with
            that layer's bias they would be the logits.
    """

    probabilities: NDArray[np.float32]
    feature_map: NDArray[np.float32]
    class_activation: NDArray[np.float32]


def check_features(names: Collection[str], is_ours: bool, path: Path) -> None:
    """Make sure that a graph keeps its features.

    Args:
        names: of the values inside it.
        is_ours: whether this toolkit exported it.
        path: the model, for the message.

    Raises:
        UsageError: it does not.
    """
    if FEATURE_MAP not in names or CLASS_ACTIVATION not in names:
        way = "choose --explain-algorithm probability"
        if is_ours:
            reason, way = "was exported without its features", f"export it with --dump-features, or {way}"
        else:
            reason = "is another tool's model, which keeps no features"
        raise UsageError(f"{path}: {reason}, so that nothing but its probabilities can be explained; {way}")
