"""From samples to batches: decoded and augmented in worker processes, in an order that a resumed run repeats.

What a training batch holds depends on the seed, the epoch and the samples' positions in it, and on nothing else:
neither on the number of workers, nor on which of them read a sample, nor on where in the epoch a run was resumed.
"""

from __future__ import annotations

import contextlib
import ctypes
import signal
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate, get_worker_info

from otx_seg.datasets.epoch_sampler import EpochSampler, Key
from otx_seg.datasets.samples import Subset
from otx_seg.errors import DataError, OtxError
from otx_seg.transforms.pipeline import Transform

_WORKER_TROUBLE = ("DataLoader worker (pid", "shared memory", "open files")  # in PyTorch's messages

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


class TrainingImages(Dataset[dict[str, Any]]):
    """Samples of a subset, each augmented by its own random numbers."""

    def __init__(self, subset: Subset, pipeline: Transform, seed: int) -> None:
        self.subset, self.pipeline, self.seed = subset, pipeline, seed

    def __len__(self) -> int:
        return len(self.subset.samples)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        """Read and augment a sample.

        Returns:
            ``image`` uint8 (3, H, W) RGB, ``mask`` uint8 (H, W) with 255 for ignored, ``file`` the sample's name;
            H and W are the pipeline's size.

        Raises:
            DataError: the image or its mask cannot be read; the text names the file.
        """
        epoch, position, index = key
        sample = self.subset.samples[index]
        rng = np.random.default_rng((self.seed, epoch, position))
        image, mask = self.pipeline(self.subset.read_image(sample), self.subset.read_mask(sample), rng)
        return {"image": _planes(image), "mask": torch.from_numpy(mask), "file": sample.name}


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
        image, mask = self.subset.read_image(sample), self.subset.read_mask(sample)
        if image.shape[:2] != mask.shape:
            raise DataError(
                f"{sample.mask}: is {mask.shape[1]}x{mask.shape[0]} pixels, its image {sample.image} "
                f"{image.shape[1]}x{image.shape[0]}; a mask has the size of the image as it is displayed"
            )
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        return {"image": _planes(resized), "mask": torch.from_numpy(mask), "index": index}


def _planes(image: NDArray[np.uint8]) -> Tensor:
    """uint8 (H, W, 3) -> (3, H, W), contiguous; OpenCV does it seven times as fast as a transposing copy."""
    planes = np.empty((3, *image.shape[:2]), np.uint8)
    cv2.split(image, list(planes))
    return torch.from_numpy(planes)


class _Readable(Dataset[Any]):
    """A data set whose unreadable samples are DataErrors in place of samples.

    An exception raised in a worker arrives as the text of a traceback; one that is handed over arrives as it is.
    """

    def __init__(self, dataset: Dataset[dict[str, Any]]) -> None:
        self.dataset = dataset

    def __getitem__(self, key: Any) -> dict[str, Any] | DataError:
        try:
            return self.dataset[key]
        except DataError as error:
            return error


class _Loader(DataLoader[Any]):
    """A DataLoader that fails in words meant for users."""

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
        except (OSError, RuntimeError) as error:
            if self.num_workers == 0 or not _is_about_workers(error):
                raise
            raise OtxError(
                f"the {self.num_workers} processes that load images failed ({str(error).strip().splitlines()[-1]}); "
                "load in the main process with learning_parameters.num_workers=0, or give them more memory; if shared "
                "memory ran out, enlarge /dev/shm (docker: --shm-size)"
            ) from error


def _is_about_workers(error: OSError | RuntimeError) -> bool:
    return isinstance(error, OSError) or any(words in str(error) for words in _WORKER_TROUBLE)


def collate_training(items: list[dict[str, Any] | DataError]) -> dict[str, dict[str, Any]] | DataError:
    """Make a batch of samples: ``{"labelled": {"image": (B, 3, H, W), "mask": (B, H, W), "files": names}}``, uint8.

    Returns the first error in its place if a sample could not be read.
    """
    samples: list[dict[str, Any]] = []
    for item in items:
        if isinstance(item, DataError):
            return item
        samples.append(item)
    # default_collate writes into shared memory right away when a worker calls it.
    view = {name: default_collate([sample[name] for sample in samples]) for name in ("image", "mask")}
    return {"labelled": {**view, "files": [sample["file"] for sample in samples]}}


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


def training_loader(
    subset: Subset,
    pipeline: Transform,
    batch_size: int,
    workers: int,
    seed: int,
    rank: int = 0,
    world_size: int = 1,
) -> DataLoader[Any]:
    """Batches of augmented samples for one process; choose the epoch with ``loader.batch_sampler.set_epoch``.

    Args:
        subset: the training samples, at least one per process.
        pipeline: see `otx_seg.transforms.pipeline`; all its images have one size.
        batch_size: largest number of samples per process and step, see `EpochSampler`.
        workers: processes that read and augment; 0 does it in this one.
        seed: 0 or more.
        rank: which process this is.
        world_size: number of processes that train together.

    Returns:
        a DataLoader of `collate_training`'s batches; its length is the steps of a whole epoch. Iterating raises
        DataError naming a file that cannot be read, and OtxError when the workers die.
    """
    sampler = EpochSampler(len(subset.samples), batch_size, seed, rank, world_size)
    return _open(TrainingImages(subset, pipeline, seed), workers, batch_sampler=sampler, collate_fn=collate_training)


def evaluation_loader(subset: Subset, size: tuple[int, int], batch_size: int, workers: int) -> DataLoader[Any]:
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
    return _open(images, workers, sampler=in_order, batch_size=batch_size, collate_fn=collate_evaluation)


def _open(dataset: Dataset[dict[str, Any]], workers: int, **settings: Any) -> DataLoader[Any]:
    # A forked worker inherits OpenCV's thread pool without its threads, and waits for them for ever. The pool must be
    # gone before the fork; the workers are the parallelism, so nothing is lost.
    cv2.setNumThreads(0)
    return _Loader(
        _Readable(dataset),
        num_workers=workers,
        worker_init_fn=_start_worker,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        # Every iteration draws a number; from the global generator, it would make a resumed run differ.
        generator=torch.Generator(),
        **settings,
    )


def _start_worker(_: int) -> None:
    # Threads of a worker's own would only compete with the training step.
    torch.set_num_threads(1)
    _keep_memory()
    # Ctrl-C reaches the whole process group, but only the main process knows how to end a run: it saves first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _keep_memory() -> None:
    """Let the C library reuse the memory of one image for the next, where it can be told to (glibc).

    By default it returns large blocks to the system, which then clears every page of every new image: on CamVid that
    took longer than decoding.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 32 << 20)
        mallopt(_M_TRIM_THRESHOLD, 128 << 20)
