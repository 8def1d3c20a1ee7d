"""From samples to batches: decoded and augmented in worker processes, in an order that a resumed run repeats.

What a training batch holds depends on the seed, the epoch and the samples' positions in it, and on nothing else:
neither on the number of workers, nor on which of them read a sample, nor on where in the epoch a run was resumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate, get_worker_info

from otx_seg.annotations.samples import Sample, Subset
from otx_seg.datasets.loading.epoch_sampler import Key
from otx_seg.datasets.loading.loader_processes import affordable, exit_codes, in_words, is_about_processes, start
from otx_seg.datasets.loading.views import Labelled, View, to_chw
from otx_seg.errors import DataError

_TENSORS_OF_A_VIEW = 4  # in a batch, at most


class _Views(Dataset[tuple[str, dict[str, Any]]]):
    """The samples of several views, by (name of the view, key)."""

    def __init__(self, views: Sequence[View]) -> None:
        self.views = {view.name: view for view in views}

    def __getitem__(self, key: tuple[str, Key]) -> tuple[str, dict[str, Any]]:
        name, own = key
        return name, self.views[name].read(own)


class StepSampler(Sampler[list[tuple[str, Key]]]):
    """The keys of each step of an epoch: those of the first view, and as many steps of the others."""

    def __init__(self, first: Labelled, others: Sequence[View]) -> None:
        self.first, self.others = first, others
        self.epoch = self.start_batch = 0

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Choose what the next iteration deals out: the batches of `epoch` from number `start_batch` on."""
        self.epoch, self.start_batch = epoch, start_batch

    def __len__(self) -> int:
        """Steps of a whole epoch, wherever it starts."""
        return self.first.steps

    def __iter__(self) -> Iterator[list[tuple[str, Key]]]:
        views = (self.first, *self.others)
        rows = [view.batches(self.epoch, self.start_batch, self.first.steps) for view in views]
        for keys in zip(*rows, strict=True):
            yield [(view.name, key) for view, part in zip(views, keys, strict=True) for key in part]


class EvaluationImages(Dataset[dict[str, Any]]):
    """Images of a subset squashed to the input size, with their masks as they are."""

    def __init__(self, subset: Subset, size: tuple[int, int]) -> None:
        """Choose the input size `size`, (h, w) in pixels."""
        self.subset, self.size = subset, size

    def __len__(self) -> int:
        return len(self.subset.samples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Read a sample.

        Returns:
            ``image`` uint8 (3, h, w) RGB, ``mask`` uint8 (H, W) at the image's own size, ``index`` as given.

        Raises:
            DataError: the image or its mask cannot be read; the text names the file.
        """
        sample = self.subset.samples[index]
        height, width = self.size
        image, mask = read_pair(self.subset, sample)
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        return {"image": to_chw(resized), "mask": torch.from_numpy(mask), "index": index}


def read_pair(subset: Subset, sample: Sample) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """An image, uint8 (H, W, 3) RGB, and its mask, uint8 (H, W).

    Raises:
        DataError: one of them cannot be read, they differ in size, or a file was replaced (see `Subset.check_pair`);
            the text names the file.
    """
    image = subset.read_image(sample)
    subset.check_mask_size(sample, (image.shape[0], image.shape[1]))
    mask = subset.read_mask(sample)
    subset.check_pair(sample, image, mask)
    return image, mask


class _Readable(Dataset[Any]):
    """A data set whose unreadable samples are DataErrors in place of samples.

    An exception raised in a worker arrives as the text of a traceback; one that is handed over arrives as it is.
    """

    def __init__(self, dataset: Dataset[Any]) -> None:
        self.dataset = dataset

    def __getitem__(self, key: Any) -> Any:
        try:
            return self.dataset[key]
        except DataError as error:
            return error


class _Loader(DataLoader[Any]):
    """A DataLoader that fails in words meant for users."""

    def close(self) -> None:
        """End the worker processes now; the cycle collector would wait 5 seconds for them, at whatever moment.

        As long as PyTorch knows them, it raises an error for one that was killed whenever any process ends.
        """
        iterator: Any = self._iterator
        self._iterator = None
        if self.num_workers > 0 and iterator is not None:
            iterator._shutdown_workers()  # which a traceback may keep alive

    def __enter__(self) -> _Loader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # only its class is more general
        try:
            for batch in super().__iter__():
                if isinstance(batch, DataError):
                    try:
                        raise batch
                    finally:
                        # A name for it here would make a cycle through its traceback; workers whose loader ends in
                        # the cycle collector, instead of at once, are waited for in vain for 5 seconds.
                        del batch
                yield batch
        except (OSError, EOFError, RuntimeError) as error:
            if self.num_workers == 0 or not is_about_processes(error):
                raise
            codes = exit_codes(getattr(self._iterator, "_workers", ()))
            raise in_words(error, self.num_workers, codes) from error


def collate_training(items: list[tuple[str, dict[str, Any]] | DataError]) -> dict[str, dict[str, Any]] | DataError:
    """Make a batch of the samples of each view: ``{"labelled": {"image": (B, 3, H, W), ..., "files": names}, ...}``.

    Returns the first error in its place if a sample could not be read.
    """
    views: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        if isinstance(item, DataError):
            return item
        views.setdefault(item[0], []).append(item[1])
    return {name: _collate_view(samples) for name, samples in views.items()}


def _collate_view(samples: list[dict[str, Any]]) -> dict[str, Any]:
    # default_collate writes into shared memory right away when a worker calls it.
    tensors = {name: default_collate([sample[name] for sample in samples]) for name in samples[0] if name != "file"}
    return {**tensors, "files": [sample["file"] for sample in samples]}


def collate_evaluation(items: list[dict[str, Any] | DataError]) -> dict[str, Any] | DataError:
    """Make a batch of samples: ``{"image": uint8 (B, 3, h, w), "mask": [uint8 (H, W), ...], "index": [int, ...]}``.

    Returns the first error in its place if a sample could not be read.
    """
    samples: list[dict[str, Any]] = []
    for item in items:
        if isinstance(item, DataError):
            return item
        samples.append(item)
    return {
        "image": default_collate([sample["image"] for sample in samples]),
        "mask": [_shared(sample["mask"]) for sample in samples],
        "index": [sample["index"] for sample in samples],
    }


def _shared(mask: Tensor) -> Tensor:
    # Without this it would be moved by the thread that sends it, whose failure nobody notices: the main process would
    # wait for ever when shared memory runs out.
    return mask.share_memory_() if get_worker_info() is not None else mask


def training_loader(first: Labelled, others: Sequence[View], workers: int) -> _Loader:
    """Batches of augmented samples for one process; choose the epoch with ``loader.batch_sampler.set_epoch``.

    Args:
        first: the view whose images an epoch uses once each.
        others: views that give as many batches.
        workers: processes that read and augment; 0 does it in this one.

    Returns:
        a DataLoader of `collate_training`'s batches; its length is the steps of a whole epoch. Iterating raises
        DataError naming a file that cannot be read, and OtxError when the workers die.
    """
    sampler = StepSampler(first, others)
    views = _Views((first, *others))
    tensors = _TENSORS_OF_A_VIEW * len(views.views)
    return open_loader(views, workers, tensors, batch_sampler=sampler, collate_fn=collate_training)


def evaluation_loader(subset: Subset, size: tuple[int, int], batch_size: int, workers: int) -> _Loader:
    """Batches of a subset in its order.

    Args:
        subset: the samples.
        size: (h, w), the input size in pixels.
        batch_size: samples per batch; the last batch may be smaller.
        workers: processes that read; 0 does it in this one.

    Returns:
        a DataLoader of `collate_evaluation`'s batches. Iterating raises DataError naming a file that cannot be read,
        and OtxError when the workers die.
    """
    images = EvaluationImages(subset, size)
    in_order = range(len(images))
    tensors = 1 + batch_size  # masks have sizes of their own
    return open_loader(images, workers, tensors, sampler=in_order, batch_size=batch_size, collate_fn=collate_evaluation)


def open_loader(dataset: Dataset[Any], workers: int, tensors: int = 0, **settings: Any) -> _Loader:
    """What worker processes read of a data set; it is closed at the end of a ``with`` block.

    Args:
        dataset: raises DataError for what cannot be read.
        workers: processes that read, at most; 0 does it in this one.
        tensors: in a batch.
        settings: of the DataLoader.
    """
    workers = affordable(workers, tensors)
    # A forked worker inherits OpenCV's thread pool without its threads, and waits for them for ever. The pool must be
    # gone before the fork; the workers are the parallelism, so nothing is lost.
    cv2.setNumThreads(0)
    return _Loader(
        _Readable(dataset),
        num_workers=workers,
        worker_init_fn=start,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        # Every iteration draws a number; from the global generator, it would make a resumed run differ.
        generator=torch.Generator(),
        **settings,
    )
