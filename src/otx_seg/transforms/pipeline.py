"""From the steps a template lists to one function that augments an image and its mask."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from otx_seg import catalogue
from otx_seg.errors import UsageError

Transform = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]
"""(image uint8 (h, w, 3) RGB, mask uint8 (h, w) of labels or 255, generator) -> the same two, changed: new arrays, or
what was given. Every random number comes from the generator."""

_PACKAGE = __name__.rpartition(".")[0]


def build_pipeline(
    steps: Sequence[dict[str, Any]], size: tuple[int, int], where: str, moves_pixels: bool = True
) -> Transform:
    """Construct the steps and chain them.

    Args:
        steps: ``{"type": class in otx_seg.transforms, ...its arguments}``; the argument ``size`` of a class is
            supplied here and must not be among them.
        size: (H, W), the input size of the network in pixels.
        where: the file and key the steps come from, for error messages.
        moves_pixels: whether the pipeline brings images to the input size, or leaves every pixel where it is.

    Returns:
        a function that can be pickled; if it moves pixels, its results have the size (H, W).

    Raises:
        UsageError: an unknown type, arguments that do not fit, no step that brings images to the input size, or one
            that does where pixels have to stay.
    """
    built = [_build_step(step, size, f"{where}[{index}]") for index, step in enumerate(steps)]
    if not moves_pixels:
        for index, (_, sized) in enumerate(built):
            if sized:
                raise UsageError(f"{where}[{index}]: {steps[index]['type']} moves pixels, which this pipeline must not")
    elif not any(sized for _, sized in built):
        raise UsageError(f"{where}: no step brings images to the input size; add one, such as RandomView")
    return functools.partial(_apply, tuple(transform for transform, _ in built))


def _build_step(step: dict[str, Any], size: tuple[int, int], where: str) -> tuple[Transform, bool]:
    """The transform, and whether its class takes a size."""
    if "size" in step:
        raise UsageError(f"{where}: remove `size`, it is the input size (learning_parameters.input_size)")
    found = catalogue.classes(_PACKAGE).get(str(step.get("type")))
    sized = found is not None and "size" in inspect.signature(found).parameters
    try:
        return catalogue.build(_PACKAGE, {**step, "size": size} if sized else step, where), sized
    except ValueError as error:
        raise UsageError(f"{where}: {step['type']}: {error}") from error


def _apply(
    transforms: tuple[Transform, ...], image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    for transform in transforms:
        image, mask = transform(image, mask, rng)
    return image, mask
