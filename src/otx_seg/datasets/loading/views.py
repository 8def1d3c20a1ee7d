"""What a training batch consists of: views of images, each kind with its own order and its own augmentations.

A view gives for every step the keys of its samples, and for every key its sample, which follows from the seed and the
key alone. The first view of a training decides how many steps an epoch has; the others keep up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from otx_seg.annotations.samples import Subset
from otx_seg.datasets.loading.endless_sampler import EndlessSampler
from otx_seg.datasets.loading.epoch_sampler import EpochSampler, Key
from otx_seg.datasets.loading.memory_cache import Cache, NoCache
from otx_seg.datasets.unlabelled import ImageSet
from otx_seg.transforms.pipeline import Transform


class View(Protocol):
    """One entry of a batch.

    Attributes:
        name: its key in the batch.
    """

    name: str

    def batches(self, epoch: int, start_batch: int, steps: int) -> Iterator[list[Key]]: ...

    def read(self, key: Key) -> dict[str, Any]: ...


class Labelled:
    """Images with masks, each used equally often in an epoch."""

    def __init__(
        self,
        subset: Subset,
        pipeline: Transform,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        name: str = "labelled",
        stream: int = 0,
        new: Sequence[int] = (),
        rounds: int = 1,
        cache: Cache | None = None,
    ) -> None:
        """
        Args:
            subset: the samples, at least one per process.
            pipeline: see `otx_seg.transforms.pipeline`; all its images have one size.
            batch_size: largest number of samples per process and step, see `EpochSampler`.
            seed: 0 or more.
            rank: which process this is.
            world_size: number of processes that train together.
            name: key of the view in a batch.
            stream: of augmentations; views that differ in it give the same samples in the same order, changed
                otherwise.
            new: the samples that show labels new to the network, see `EpochSampler`.
            rounds: how often an epoch uses each.
            cache: of decoded files; the image of sample i has slot 2 i and its mask 2 i + 1. None: there is none.
        """
        self.subset, self.pipeline, self.seed, self.name = subset, pipeline, seed, name
        # NumPy seeds alike from numbers with and without zeros behind them.
        self.stream = (stream,) if stream else ()
        self.sampler = EpochSampler(len(subset.samples), batch_size, seed, rank, world_size, new, rounds)
        self.cache: Cache = cache or NoCache()

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self.sampler.steps

    def batches(self, epoch: int, start_batch: int, steps: int) -> Iterator[list[Key]]:
        """The keys of each step of an epoch from step `start_batch` on; `steps` is the view's own number."""
        return self.sampler.batches(epoch, start_batch)

    def read(self, key: Key) -> dict[str, Any]:
        """Read and augment a sample.

        Returns:
            ``image`` uint8 (3, H, W) RGB, ``mask`` uint8 (H, W) with 255 for ignored, ``file`` the sample's name;
            H and W are the pipeline's size.

        Raises:
            DataError: the image or its mask cannot be read, or does not belong to the other any more; the text names
                the file.
        """
        epoch, position, index = key
        sample = self.subset.samples[index]
        rng = np.random.default_rng((self.seed, epoch, position, *self.stream))
        image = self.cache.read(2 * index, lambda: self.subset.read_image(sample))
        mask = self.cache.read(2 * index + 1, lambda: self.subset.read_mask(sample))
        self.subset.check_pair(sample, image, mask)
        image, mask = self.pipeline(image, mask, rng)
        return {"image": to_chw(image), "mask": torch.from_numpy(mask), "file": sample.name}


class Unlabelled:
    """Images without masks, dealt out endlessly, each in a weak view and a strong one of the same geometry."""

    name = "unlabelled"

    def __init__(
        self,
        images: ImageSet,
        weak: Transform,
        strong: Transform,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        cache: Cache | None = None,
        first_slot: int = 0,
    ) -> None:
        """
        Args:
            images: at least one.
            weak: the augmentations of both views; all its images have one size.
            strong: what the strong view gets on top; it leaves every pixel where it is.
            batch_size: number of samples per process and step.
            seed: 0 or more.
            rank: which process this is.
            world_size: number of processes that train together.
            cache: of decoded files; image i has slot `first_slot` + i. None: there is none.
            first_slot: see there.
        """
        self.images, self.weak, self.strong, self.seed = images, weak, strong, seed
        self.sampler = EndlessSampler(len(images), batch_size, seed, rank, world_size)
        self.cache: Cache = cache or NoCache()
        self.first_slot = first_slot

    def batches(self, epoch: int, start_batch: int, steps: int) -> Iterator[list[Key]]:
        """The keys of each step of an epoch of `steps` steps from step `start_batch` on."""
        return islice(self.sampler.batches(epoch * steps + start_batch), steps - start_batch)

    def read(self, key: Key) -> dict[str, Any]:
        """Read and augment an image.

        Returns:
            ``image`` and ``strong`` uint8 (3, H, W) RGB, ``mask`` uint8 (H, W): 255 outside the image, else 0;
            ``file`` the image's name.

        Raises:
            DataError: the image cannot be read; the text names the file.
        """
        turn, position, index = key
        image = self.cache.read(self.first_slot + index, lambda: self.images.read_image(index))
        # The 1 keeps these numbers apart from those of the labelled images' streams.
        rng = np.random.default_rng((self.seed, turn, position, 1))
        weak, outside = self.weak(image, np.zeros(image.shape[:2], np.uint8), rng)
        strong, _ = self.strong(weak, outside, rng)
        return {
            "image": to_chw(weak),
            "strong": to_chw(strong),
            "mask": torch.from_numpy(outside),
            "file": self.images.name(index),
        }


def to_chw(image: NDArray[np.uint8]) -> Tensor:
    """uint8 (H, W, 3) -> (3, H, W), contiguous; OpenCV does it seven times as fast as a transposing copy."""
    separated = np.empty((3, *image.shape[:2]), np.uint8)
    cv2.split(image, list(separated))
    return torch.from_numpy(separated)
