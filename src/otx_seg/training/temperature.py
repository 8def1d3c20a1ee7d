"""The temperature of a trained network: what its logits are divided by, so that its confidences hold.

Temperature scaling of Guo et al., 2017, https://arxiv.org/abs/1706.04599, section 4.2, on a sample of the labelled
pixels of the validation images:

1. The probabilities of the sampled pixels, at the size of the mask, as confidences are told of them later.
2. The temperature with the lowest mean negative log-likelihood of the true labels.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from otx_seg.datasets import Subset
from otx_seg.datasets.loading.loader import evaluation_loader
from otx_seg.inference.torch_predictor import TorchPredictor
from otx_seg.labels import IGNORE_INDEX
from otx_seg.metrics.reliability import Reliability, reliability_of
from otx_seg.runtime.masks import mask_at
from otx_seg.words import count
from otx_seg.workspace.weights import HIGHEST_TEMPERATURE

MOST_IMAGES = 50
"""That the sample is taken from. More cost the time of a further validation, and change the temperature little."""

_MOST_PIXELS = 1 << 16
_MOST_PROBABILITIES = 1 << 22
"""Of the sample: 16 MB, so that with many labels there are fewer pixels."""

_HALVINGS = 40  # of the interval that the temperature lies in


@dataclass(frozen=True)
class Calibration:
    """A temperature, and what it was fitted on.

    Attributes:
        images, pixels: how many.
        before, after: the reliability of the confidences of these pixels without it and with it.
    """

    temperature: float
    images: int
    pixels: int
    before: Reliability
    after: Reliability

    def __str__(self) -> str:
        errors = f"expected calibration error {self.after.error:.4f}, before {self.before.error:.4f}"
        sample = f"{self.pixels:,} pixels of {count(self.images, 'validation image')}"
        return f"temperature {self.temperature:.3g}, fitted on {sample}: {errors}"


def calibrate(
    predictor: TorchPredictor, subset: Subset, batch_size: int, workers: int, seed: int
) -> Calibration | None:
    """Fit a temperature.

    Args:
        predictor: without one.
        subset: images with masks, whose labels are those of the model.
        seed: of the choice of pixels.

    Returns:
        None if no pixel is labelled.

    Raises:
        DataError: an image or mask cannot be read.
    """
    # 1. a sample
    classes = len(predictor.labels)
    chosen = np.unique(np.linspace(0, len(subset) - 1, min(len(subset), MOST_IMAGES)).astype(int))
    images = replace(subset, samples=tuple(subset.samples[index] for index in chosen))
    share = max(1, min(_MOST_PIXELS, _MOST_PROBABILITIES // classes) // len(images))
    sample = _Sample(classes, share, seed)
    with evaluation_loader(images, predictor.input_size, batch_size, workers) as loader:
        for batch in loader:
            for found, mask in zip(predictor.probabilities(batch["image"]), batch["mask"], strict=True):
                sample.add(found, mask.numpy(), predictor)
    probabilities, truth = sample.gathered()
    if not len(truth):
        return None
    # 2. the temperature
    temperature = fit_temperature(probabilities, truth)
    before, after = (_reliability(probabilities, truth, each) for each in (1.0, temperature))
    return Calibration(temperature, len(images), len(truth), before, after)


class _Sample:
    """Labelled pixels of images, equally many of each that has as many."""

    def __init__(self, classes: int, share: int, seed: int) -> None:
        """Take at most `share` pixels of each image, for a model of `classes` labels."""
        self._share, self._seed, self._number = share, seed, itertools.count()
        self._probabilities: list[NDArray[np.float32]] = [np.zeros((0, classes), np.float32)]
        self._truth: list[NDArray[np.uint8]] = [np.zeros(0, np.uint8)]

    def add(self, probabilities: NDArray[np.float32], mask: NDArray[np.uint8], predictor: TorchPredictor) -> None:
        """Take pixels of an image: probabilities (K, h, w), mask (H, W)."""
        labelled = np.flatnonzero(mask != IGNORE_INDEX)
        rng = np.random.default_rng((self._seed, next(self._number)))
        wanted = np.zeros(mask.shape, np.bool_)
        wanted.flat[rng.choice(labelled, min(self._share, len(labelled)), replace=False, shuffle=False)] = True

        def record(rows: slice, columns: slice, _: NDArray[np.uint8], found: NDArray[np.float32]) -> None:
            part = wanted[rows, columns]
            self._probabilities.append(found[:, part].T)
            self._truth.append(mask[rows, columns][part])

        mask_at(probabilities, (mask.shape[0], mask.shape[1]), predictor.post_processing, record)

    def gathered(self) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Probabilities (N, K) and true labels (N,) of all of them."""
        return np.concatenate(self._probabilities), np.concatenate(self._truth)


def fit_temperature(probabilities: NDArray[np.float32], truth: NDArray[np.uint8]) -> float:
    """The temperature with the lowest mean negative log-likelihood, from 1 / `HIGHEST_TEMPERATURE` to that.

    In b = 1 / T the likelihood is convex. Its derivative is the mean of the expected log-probability, under the
    softmax of b times the logits, less that of the true label: it rises with b, and is 0 at the minimum.

    Args:
        probabilities: (N, K), N at least 1.
        truth: true labels (N,).
    """
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    of_truth = float(np.take_along_axis(logits, truth[:, None].astype(np.intp), axis=1).mean(dtype=np.float64))
    low, high = -np.log(HIGHEST_TEMPERATURE), np.log(HIGHEST_TEMPERATURE)  # of b, in logarithms
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        expected = (_tempered(logits, np.exp(-middle)) * logits).sum(axis=1)
        low, high = (middle, high) if expected.mean(dtype=np.float64) < of_truth else (low, middle)
    return float(np.exp(-(low + high) / 2))


def _tempered(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    scaled = logits / np.float32(temperature)
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    softmax: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return softmax


def _reliability(probabilities: NDArray[np.float32], truth: NDArray[np.uint8], temperature: float) -> Reliability:
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    found = _tempered(logits, temperature)
    return reliability_of(found.max(axis=1), found.argmax(axis=1) == truth)
