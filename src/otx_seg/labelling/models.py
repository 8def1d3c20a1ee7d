"""The models that judge images before they are labelled, and what they tell of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otx_seg.inference.ensemble import label_orders
from otx_seg.inference.predictor import load_predictor
from otx_seg.labelling.uncertainty import Uncertainty, uncertainty_of
from otx_seg.labels import Labels
from otx_seg.runtime.crops import network_input
from otx_seg.runtime.masks import PostProcessing
from otx_seg.runtime.predictor import ExplainablePredictor


@dataclass(frozen=True)
class Seen:
    """What models saw in an image.

    Attributes:
        feature: float32 (C,), the mean of the first model's feature map over its places; None if none was asked for.
    """

    uncertainty: Uncertainty
    feature: NDArray[np.float32] | None


@dataclass(frozen=True)
class Models:
    """Models with the same labels and input size.

    Attributes:
        models: at least one; labels, their order and all else are those of the first.
        orders: of each, where the labels of the first are among its own.
    """

    models: Sequence[ExplainablePredictor]
    orders: Sequence[Sequence[int]]

    @property
    def labels(self) -> Labels:
        return self.models[0].labels

    @property
    def post_processing(self) -> PostProcessing:
        return self.models[0].post_processing

    def look_at(self, image: NDArray[np.uint8], with_feature: bool) -> Seen:
        """Look at an image and at its mirror image with each model.

        Args:
            image: uint8 RGB (H, W, 3); all of it is resized to the input size.

        Raises:
            UsageError: a feature is asked for, and the first model keeps none; or a model gives masks.
        """
        given = network_input(image, self.models[0].input_size)
        mirrored = np.ascontiguousarray(given[..., ::-1])
        feature, looks = None, []
        for model, order in zip(self.models, self.orders, strict=True):
            if with_feature and feature is None:
                seen = model.activations(given)
                feature, plain = seen.feature_map.mean(axis=(1, 2)), seen.probabilities
            else:
                plain = model.probabilities(given)[0]
            looks += [plain[order], model.probabilities(mirrored)[0][order][..., ::-1]]
        return Seen(uncertainty_of(looks), feature)

    def feature_of(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The feature alone, float32 (C,). Raises as `look_at`."""
        seen = self.models[0].activations(network_input(image, self.models[0].input_size))
        return np.asarray(seen.feature_map.mean(axis=(1, 2)))


def open_models(files: Sequence[Path], labels: Labels | None = None) -> Models:
    """The models of some files.

    Args:
        labels: see `load_predictor`.

    Raises:
        UsageError: see `load_predictor` and `label_orders`.
    """
    models = {file: load_predictor(file, labels=labels) for file in files}
    return Models(list(models.values()), label_orders(models))
