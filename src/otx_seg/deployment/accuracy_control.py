"""Quantisation that gives layers back to floating point until the Dice it costs is within a limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import nncf
import numpy as np
import openvino
from nncf import AdvancedAccuracyRestorerParameters
from numpy.typing import NDArray
from torch import Tensor

from otx_seg.datasets import Subset
from otx_seg.inference.evaluate import confusion_of
from otx_seg.metrics.confusion import scores
from otx_seg.runtime.altered_predictor import AlteredPredictor
from otx_seg.runtime.openvino_predictor import OpenVinoPredictor

_RANKING_IMAGES = 50
"""Validation images on which layers are compared: every layer is tried on all of them."""


class OutOfTimeError(Exception):
    """The limit was not met in the time allowed."""


def quantize_within(
    limit: float,
    seconds: float,
    graph: openvino.Model,
    predictor: OpenVinoPredictor,
    validation: Subset,
    progress: Callable[[int], None] | None,
    **arguments: Any,
) -> openvino.Model:
    """Quantise with NNCF's accuracy control.

    Layers are ranked by what the Dice gains when they alone go back to floating point. In that order they go back, one
    after another, until the Dice on all validation images is within the limit.

    Args:
        limit: Dice that quantisation may cost, 0..1.
        seconds: time allowed.
        graph: the model in floating point.
        predictor: the same model, ready to run: its labels and post-processing are used.
        validation: images with masks.
        progress: called with the number of images evaluated so far.
        arguments: further ones of ``nncf.quantize``.

    Raises:
        OutOfTimeError: the limit is not met after `seconds`.
    """
    deadline, done = time.monotonic() + seconds, 0

    def dice(compiled: openvino.CompiledModel, indices: Iterable[int]) -> tuple[float, None]:
        nonlocal done
        chosen = [int(index) for index in indices]
        before = done

        def probabilities(images: NDArray[np.uint8] | Tensor) -> NDArray[np.float32]:
            batch = np.asarray(images, dtype=np.float32)
            return np.concatenate([compiled(image[None])[0].copy() for image in batch])

        def count(images: int) -> None:
            nonlocal done
            done = before + images
            if progress is not None:
                progress(done)
            if time.monotonic() > deadline:
                raise OutOfTimeError

        confusion = confusion_of(
            AlteredPredictor(predictor, probabilities), validation, chosen, batch_size=1, workers=0, progress=count
        )
        return scores(confusion, predictor.labels).dice_average, None

    return nncf.quantize_with_accuracy_control(
        graph,
        validation_dataset=nncf.Dataset(list(range(len(validation)))),
        validation_fn=dice,
        max_drop=limit,
        advanced_accuracy_restorer_parameters=AdvancedAccuracyRestorerParameters(
            ranking_subset_size=min(_RANKING_IMAGES, len(validation)), num_ranking_workers=1
        ),
        **arguments,
    )
