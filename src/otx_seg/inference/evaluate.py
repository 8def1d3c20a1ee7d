"""How well a model does on labelled images: the one implementation behind training, `otx eval` and quantisation."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from otx_seg.datasets import Subset
from otx_seg.datasets.loading.loader import evaluation_loader, read_pair
from otx_seg.datasets.loading.loader_processes import lost_in_words
from otx_seg.errors import DataError, UsageError
from otx_seg.inference.certainty import ReliabilityRecord
from otx_seg.labels import Labels
from otx_seg.metrics.boundary import boundary_counts, boundary_distance
from otx_seg.metrics.choice import USUAL, MetricChoice
from otx_seg.metrics.confusion import PixelCounts, Scores, confusion_matrix, counts_by_label, scores
from otx_seg.metrics.counted_images import CountedImages
from otx_seg.metrics.measured import Measured, measured, of_two_labels, usual
from otx_seg.metrics.reliability import Reliability
from otx_seg.runtime.augmented_views import ONE_VIEW, AugmentedViews, mirrored
from otx_seg.runtime.masks import mask_from
from otx_seg.runtime.predict_mask import SlidingWindow, predict_mask
from otx_seg.runtime.predictor import AlteredPredictor, Answer, Predictor, answer_of
from otx_seg.words import listed

logger = logging.getLogger(__name__)

_MASK_THREADS = 2
"""Threads that turn probabilities into masks while the network works on the next batch."""

_PIXELS_AT_ONCE = 1 << 24


@dataclass(frozen=True)
class Evaluation:
    """The outcome of `evaluate`.

    Attributes:
        scores: over all pixels of all images at their original size.
        seconds_per_image: mean time of the network alone, from uint8 images of its input size in main memory to
            probabilities in main memory, all windows and looks taken together; the first batch, which warms up, does
            not count unless it is the only one.
        images: number of images.
        window, views: see `predict_mask`.
        counted: the pixels that the scores are taken from; None where they were read from a file.
        choice: what was to be measured.
        report: the page that shows it, if there is one.
    """

    scores: Scores
    seconds_per_image: float
    images: int
    window: SlidingWindow | None = None
    views: AugmentedViews = ONE_VIEW
    counted: CountedImages | None = field(default=None, compare=False, repr=False)
    choice: MetricChoice = USUAL
    report: Path | None = field(default=None, compare=False)

    @property
    def measured(self) -> tuple[Measured, ...]:
        """The values of the metrics asked for, or of the usual ones."""
        if self.counted is None or self.choice == USUAL:
            return usual(self.scores)
        return tuple(measured(self.counted, metric) for metric in self.choice.shown)

    @property
    def reliability(self) -> Reliability | None:
        """That of the confidences; None where it was not measured, or the model gives none."""
        return None if self.counted is None else self.counted.pixels.reliability

    def as_json(self) -> dict[str, Any]:
        """Plain values as in ``performance.json``; calibration, chosen metrics, windows and test-time augmentation
        only where they were used."""
        values = {**self.scores.as_json(), "avg_time_per_image": self.seconds_per_image}
        if self.choice.metrics:
            every = self.measured
            values["metrics"] = {found.metric.name: found.as_json() for found in every}
            for found in every:
                for name, value in found.per_label.items():
                    values["per_label"][name][found.metric.name] = value
        if self.choice.needs_boundaries:
            values["boundary_width"] = self.choice.boundary_width
        if self.counted is not None:
            if len(self.counted.labels) == 2:
                values["binary"] = of_two_labels(self.scores, self.counted.labels)
            values["confusion"] = self.counted.confusions()
        if self.reliability is not None:
            values["calibration"] = self.reliability.as_json()
        if self.window is not None:
            values |= {"sliding_window": str(self.window), "overlap": self.window.overlap}
        if self.views != ONE_VIEW:
            values["tta"] = str(self.views)
        return values


def evaluate(
    predictor: Predictor,
    subset: Subset,
    batch_size: int = 1,
    workers: int = 0,
    progress: Callable[[int], None] | None = None,
    window: SlidingWindow | None = None,
    views: AugmentedViews = ONE_VIEW,
    choice: MetricChoice = USUAL,
    reliability: bool = False,
) -> Evaluation:
    """Score a model on a subset.

    Args:
        predictor: the model.
        subset: images with masks, whose labels the model knows; they are matched by name.
        batch_size: images the network gets at once. Exported models work image by image whatever it is.
        workers: processes that decode images; 0: none.
        progress: called with the number of images done so far.
        window, views: see `predict_mask`. With windows or scales, images are read one by one in this process.
        choice: what is to be measured.
        reliability: whether that of the confidences is too, of a model that does not give masks alone.

    Raises:
        UsageError: the subset has labels the model does not know, or the window is much too small.
        DataError: the subset is empty, or an image or mask cannot be read.
    """
    stopwatch = _Stopwatch(predictor)
    timed = AlteredPredictor(predictor, stopwatch.answer)
    if window is None and not views.scales:
        model = mirrored(timed) if views.flip else timed
        counts = count_pixels(model, subset, range(len(subset)), batch_size, workers, progress, choice, reliability)
    else:
        counts = _count_whole_images(timed, subset, window, views, progress, choice, reliability)
    seconds = stopwatch.seconds() / len(subset)
    found = scores(counts.confusion, predictor.labels, choice.left_out)
    _tell_nothing_to_score(found, predictor.labels, subset)
    files = tuple(sample.name for sample in subset.samples)
    counted = CountedImages(predictor.labels, files, counts, choice.left_out)
    return Evaluation(found, seconds, len(subset), window, views, counted, choice)


def _tell_nothing_to_score(found: Scores, labels: Labels, subset: Subset) -> None:
    names = [labels.names[index] for index in labels.foreground if labels.names[index] not in found.left_out]
    if not any(name in found.per_label for name in names):
        logger.warning(
            "%s: the masks show none of %s; there is nothing to take a Dice average of, its 0 says nothing: evaluate "
            "on images that show them",
            subset.root,
            listed(names),
        )


def count_pixels(
    predictor: Predictor,
    subset: Subset,
    indices: Sequence[int],
    batch_size: int,
    workers: int,
    progress: Callable[[int], None] | None = None,
    choice: MetricChoice = USUAL,
    reliability: bool = False,
) -> PixelCounts:
    """How a model does on some samples of a subset; the matrices of several processes can be added.

    Args:
        indices: positions in ``subset.samples``; none is possible.
        predictor, subset, batch_size, workers, progress, choice, reliability: see `evaluate`.

    Returns:
        Pixels at the original size of the images, those of each image in the order of `indices`.

    Raises:
        UsageError, DataError: see `evaluate`.
    """
    subset = matched(predictor.labels, subset)
    chosen = replace(subset, samples=tuple(subset.samples[index] for index in indices))
    classes = len(predictor.labels)
    total = _Total(classes)

    def count(answer: Answer, mask: Tensor) -> _ImageCounts:
        seen = ReliabilityRecord(mask.numpy()) if reliability else None
        found = mask_from(answer, (mask.shape[0], mask.shape[1]), predictor.post_processing, seen)
        confusion = confusion_matrix(torch.from_numpy(found), mask, classes)
        return _ImageCounts(
            confusion, _boundaries(found, mask.numpy(), classes, choice), None if seen is None else seen.found
        )

    def add(counted: Iterable[Future[_ImageCounts]]) -> None:
        for future in counted:
            total.add(future.result())

    done = 0
    under_way: list[Future[_ImageCounts]] = []
    with lost_in_words(workers), ThreadPoolExecutor(_MASK_THREADS) as pool:
        for batch in evaluation_loader(chosen, predictor.input_size, batch_size, workers) if indices else ():
            answers = answer_of(predictor, batch["image"])
            # One batch of probabilities waits at most: at large inputs they are the bulk of the memory.
            add(under_way)
            under_way = [pool.submit(count, *pair) for pair in zip(answers, batch["mask"], strict=True)]
            done += len(answers)
            if progress is not None:
                progress(done)
        add(under_way)
    return total.counts()


def _count_whole_images(
    predictor: Predictor,
    subset: Subset,
    window: SlidingWindow | None,
    views: AugmentedViews,
    progress: Callable[[int], None] | None,
    choice: MetricChoice,
    reliability: bool,
) -> PixelCounts:
    """As `count_pixels`, from images as large as they are; no more than one is in memory."""
    subset = matched(predictor.labels, subset)
    classes = len(predictor.labels)
    total = _Total(classes)
    for done, sample in enumerate(subset.samples, start=1):
        image, mask = read_pair(subset, sample)
        seen = ReliabilityRecord(mask) if reliability else None
        found = predict_mask(predictor, image, window, views, seen)
        del image
        rows = max(1, _PIXELS_AT_ONCE // mask.shape[1])  # counting takes many times the memory of what is counted
        confusion = torch.zeros(classes, classes, dtype=torch.int64)
        for start in range(0, len(mask), rows):
            band = slice(start, start + rows)
            confusion += confusion_matrix(torch.from_numpy(found[band]), torch.from_numpy(mask[band]), classes)
        total.add(
            _ImageCounts(confusion, _boundaries(found, mask, classes, choice), None if seen is None else seen.found)
        )
        if progress is not None:
            progress(done)
    return total.counts()


class _ImageCounts(NamedTuple):
    """Of one image: its confusion matrix (K, K); and the pixels (K, 3) of its boundary bands and the reliability of its
    confidences, if they are asked for."""

    confusion: Tensor
    boundary: Tensor | None
    reliability: Reliability | None


def _boundaries(found: NDArray[np.uint8], mask: NDArray[np.uint8], classes: int, choice: MetricChoice) -> Tensor | None:
    if not choice.needs_boundaries:
        return None
    distance = boundary_distance((mask.shape[0], mask.shape[1]), choice.boundary_width)
    return boundary_counts(found, mask, classes, distance)


class _Total:
    """Adds up the counts of images."""

    def __init__(self, classes: int) -> None:
        self._confusion = torch.zeros(classes, classes, dtype=torch.int64)
        self._per_image: list[Tensor] = []
        self._boundary: list[Tensor] = []
        self._reliability: Reliability | None = None

    def add(self, image: _ImageCounts) -> None:
        self._confusion += image.confusion
        self._per_image.append(counts_by_label(image.confusion))
        if image.boundary is not None:
            self._boundary.append(image.boundary)
        if image.reliability is not None:
            self._reliability = (self._reliability or Reliability()) + image.reliability

    def counts(self) -> PixelCounts:
        per_image = (
            torch.stack(self._per_image) if self._per_image else self._confusion.new_zeros(0, len(self._confusion), 3)
        )
        boundary = torch.stack(self._boundary) if self._boundary else None
        return PixelCounts(self._confusion, per_image, boundary, self._reliability)


def matched(labels: Labels, subset: Subset) -> Subset:
    """The subset with its masks numbered after the labels of a model.

    Raises:
        UsageError: the subset has labels the model does not know.
        DataError: the subset is empty.
    """
    if not subset.samples:
        raise DataError(f"{subset.root}: has no images to evaluate on")
    known = labels.names
    unknown = [name for name in subset.labels.names if name not in known]
    if unknown:
        raise UsageError(
            f"{subset.root}: the model does not know the label {unknown[0]!r}; it knows {', '.join(known)}: use "
            "data with these, turn others into these with --label-map, or train it on the new ones too"
        )
    return subset.with_labels(labels)


class _Stopwatch:
    """Measures the calls of a predictor, which `answer` stands for."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._calls: list[tuple[int, float]] = []

    def answer(self, images: NDArray[np.uint8] | Tensor) -> Answer:
        start = time.perf_counter()
        result = answer_of(self._predictor, images)
        self._calls.append((len(images), time.perf_counter() - start))
        return result

    def seconds(self) -> float:
        """The time of all images, with the first call counted like the others."""
        warm = self._calls[1:] or self._calls
        per_image = sum(seconds for _, seconds in warm) / sum(images for images, _ in warm)
        return per_image * sum(images for images, _ in self._calls)
