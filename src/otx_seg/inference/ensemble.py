"""Several models as one: the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import UsageError
from otx_seg.runtime.predictor import AlteredPredictor, Predictor, no_probabilities
from otx_seg.words import listed

if TYPE_CHECKING:
    from torch import Tensor


def ensemble(models: Mapping[Path, Predictor]) -> Predictor:
    """A model that answers with the mean of the probabilities of several; a single one stays as it is.

    Args:
        models: by the file they were read from. Labels, their order, input size and all else are those of the first;
            the others may have the same labels in another order.

    Raises:
        UsageError: a model has other labels or another input size than the first one, or gives masks.
    """
    orders = label_orders(models)
    first, *others = models.values()
    if not others:
        return first

    def mean(images: NDArray[np.uint8] | Tensor) -> NDArray[np.float32]:
        total = np.float32(0)
        for model, order in zip(models.values(), orders, strict=True):
            total = total + model.probabilities(images)[:, order]
        return np.asarray(total / np.float32(len(models)), np.float32)

    return AlteredPredictor(first, mean)


def label_orders(models: Mapping[Path, Predictor]) -> list[list[int]]:
    """Of each model, where the labels of the first one are among its own.

    Raises:
        UsageError: a model has other labels or another input size than the first one, or is one of several and gives
            masks.
    """
    (first_file, first), *others = models.items()
    for file, model in others:
        if set(model.labels.names) != set(first.labels.names):
            raise UsageError(
                f"{file}: has the labels {listed(model.labels.names)}, {first_file} has {listed(first.labels.names)}; "
                "the probabilities of models can be averaged if their labels are the same"
            )
        if model.input_size != first.input_size:
            sizes = ["x".join(map(str, one.input_size)) for one in (model, first)]
            raise UsageError(
                f"{file}: takes images of {sizes[0]} pixels, {first_file} of {sizes[1]}; the probabilities of models "
                "can be averaged if their input sizes are the same"
            )
    for file, model in models.items():
        if others and model.gives_masks:
            raise no_probabilities(file)
    return [[model.labels.names.index(name) for name in first.labels.names] for model in models.values()]
