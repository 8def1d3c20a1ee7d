"""How well a model does on labelled images: the one implementation behind training, `otx eval` and quantisation."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from otx_seg.datasets import Subset
from otx_seg.datasets.loading.loader import evaluation_loader, read_pair
from otx_seg.datasets.loading.loader_processes import lost_in_words
from otx_seg.errors import DataError, UsageError
from otx_seg.labels import Labels
from otx_seg.metrics.confusion import PixelCounts, Scores, confusion_matrix, counts_by_label, scores
from otx_seg.metrics.counted_images import CountedImages
from otx_seg.runtime.augmented_views import ONE_VIEW, AugmentedViews, mirrored
from otx_seg.runtime.masks import mask_at
from otx_seg.runtime.predict_mask import SlidingWindow, predict_mask
from otx_seg.runtime.predictor import AlteredPredictor, Predictor
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
    """

    scores: Scores
    seconds_per_image: float
    images: int
    window: SlidingWindow | None = None
    views: AugmentedViews = ONE_VIEW
    counted: CountedImages | None = field(default=None, compare=False, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Plain values as in ``performance.json``; windows and test-time augmentation only where they were used."""
        values = {**self.scores.as_json(), "avg_time_per_image": self.seconds_per_image}
        if self.counted is not None:
            values["confusion"] = self.counted.confusions()
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
) -> Evaluation:
    """Score a model on a subset.

    Args:
        predictor: the model.
        subset: images with masks, whose labels the model knows; they are matched by name.
        batch_size: images the network gets at once. Exported models work image by image whatever it is.
        workers: processes that decode images; 0: none.
        progress: called with the number of images done so far.
        window, views: see `predict_mask`. With windows or scales, images are read one by one in this process.

    Raises:
        UsageError: the subset has labels the model does not know, or the window is much too small.
        DataError: the subset is empty, or an image or mask cannot be read.
    """
    stopwatch = _Stopwatch(predictor)
    timed = AlteredPredictor(predictor, stopwatch.probabilities)
    if window is None and not views.scales:
        model = mirrored(timed) if views.flip else timed
        counts = count_pixels(model, subset, range(len(subset)), batch_size, workers, progress)
    else:
        counts = _count_whole_images(timed, subset, window, views, progress)
    seconds = stopwatch.seconds() / len(subset)
    found = scores(counts.confusion, predictor.labels)
    _tell_nothing_to_score(found, predictor.labels, subset)
    files = tuple(sample.name for sample in subset.samples)
    counted = CountedImages(predictor.labels, files, counts)
    return Evaluation(found, seconds, len(subset), window, views, counted)


def _tell_nothing_to_score(found: Scores, labels: Labels, subset: Subset) -> None:
    names = [labels.names[index] for index in labels.foreground]
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
) -> PixelCounts:
    """How a model does on some samples of a subset; the matrices of several processes can be added.

    Args:
        indices: positions in ``subset.samples``; none is possible.
        predictor, subset, batch_size, workers, progress: see `evaluate`.

    Returns:
        Pixels at the original size of the images, those of each image in the order of `indices`.

    Raises:
        UsageError, DataError: see `evaluate`.
    """
    subset = matched(predictor.labels, subset)
    chosen = replace(subset, samples=tuple(subset.samples[index] for index in indices))
    classes = len(predictor.labels)
    total, per_image = torch.zeros(classes, classes, dtype=torch.int64), []

    def count(probabilities: NDArray[np.float32], mask: Tensor) -> Tensor:
        found = mask_at(probabilities, (mask.shape[0], mask.shape[1]), predictor.post_processing)
        return confusion_matrix(torch.from_numpy(found), mask, classes)

    def add(counted: Iterable[Future[Tensor]]) -> None:
        for future in counted:
            total.add_(future.result())
            per_image.append(counts_by_label(future.result()))

    done = 0
    under_way: list[Future[Tensor]] = []
    with lost_in_words(workers), ThreadPoolExecutor(_MASK_THREADS) as pool:
        for batch in evaluation_loader(chosen, predictor.input_size, batch_size, workers) if indices else ():
            probabilities = predictor.probabilities(batch["image"])
            # One batch of probabilities waits at most: at large inputs they are the bulk of the memory.
            add(under_way)
            under_way = [pool.submit(count, *pair) for pair in zip(probabilities, batch["mask"], strict=True)]
            done += len(probabilities)
            if progress is not None:
                progress(done)
        add(under_way)
    return PixelCounts(total, torch.stack(per_image) if per_image else total.new_zeros(0, classes, 3))


def _count_whole_images(
    predictor: Predictor,
    subset: Subset,
    window: SlidingWindow | None,
    views: AugmentedViews,
    progress: Callable[[int], None] | None,
) -> PixelCounts:
    """As `count_pixels`, from images as large as they are; no more than one is in memory."""
    subset = matched(predictor.labels, subset)
    classes = len(predictor.labels)
    total, per_image = torch.zeros(classes, classes, dtype=torch.int64), []
    for done, sample in enumerate(subset.samples, start=1):
        image, mask = read_pair(subset, sample)
        found = predict_mask(predictor, image, window, views)
        del image
        rows = max(1, _PIXELS_AT_ONCE // mask.shape[1])  # counting takes many times the memory of what is counted
        of_image = torch.zeros_like(total)
        for start in range(0, len(mask), rows):
            band = slice(start, start + rows)
            of_image += confusion_matrix(torch.from_numpy(found[band]), torch.from_numpy(mask[band]), classes)
        total += of_image
        per_image.append(counts_by_label(of_image))
        if progress is not None:
            progress(done)
    return PixelCounts(total, torch.stack(per_image))


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
            f"{subset.root}: the model does not know the label {unknown[0]!r}; it knows {', '.join(known)}: evaluate "
            "on data with these, or train it on the new ones too"
        )
    return subset.with_labels(labels)


class _Stopwatch:
    """Measures the calls of a predictor's `probabilities`, which `probabilities` stands for."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._calls: list[tuple[int, float]] = []

    def probabilities(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.float32]:
        start = time.perf_counter()
        result = self._predictor.probabilities(images)
        self._calls.append((len(images), time.perf_counter() - start))
        return result

    def seconds(self) -> float:
        """The time of all images, with the first call counted like the others."""
        warm = self._calls[1:] or self._calls
        per_image = sum(seconds for _, seconds in warm) / sum(images for images, _ in warm)
        return per_image * sum(images for images, _ in self._calls)
