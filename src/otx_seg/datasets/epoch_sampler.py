"""The order of training samples: the same for any number of workers, repeatable from any step on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from otx_seg.errors import DataError

Key = tuple[int, int, int]
"""(epoch, position in the epoch's order, index of the sample)."""


class EpochSampler(Sampler[list[Key]]):
    """Deals out the batches of an epoch in a random order that follows from the seed and the epoch alone.

    1. The epoch is cut into as few steps as `batch_size` allows, of sizes that differ by at most one, so that there
       is no small last batch: 18 samples at batch size 8 make three batches of 6.
    2. Each step is split over the processes the same way; all processes make the same number of steps, and together
       they use every sample once.
    3. No process gets a batch of one sample (batch normalisation may need two) unless `batch_size` is 1 or there are
       fewer than two samples per process. Only for this, and only at batch sizes up to 3, an epoch may leave out up to
       2 * world_size - 1 samples; others in each epoch, since the order changes.
    """

    def __init__(self, length: int, batch_size: int, seed: int, rank: int, world_size: int) -> None:
        """Plan the epochs.

        Args:
            length: number of samples, at least 1.
            batch_size: largest number of samples per process and step, at least 1.
            seed: of the order, 0 or more.
            rank: which process this is, 0..world_size-1.
            world_size: number of processes that train together.

        Raises:
            DataError: there are fewer samples than processes.
        """
        if length < world_size:
            raise DataError(f"{length} training images for {world_size} processes: start at most {length} processes")
        self.length, self.seed, self.rank, self.world_size = length, seed, rank, world_size
        smallest = min(batch_size, 2)
        steps = min(-(-length // (batch_size * world_size)), length // (smallest * world_size))
        self.steps = max(steps, 1)
        self.used = min(length, self.steps * batch_size * world_size)
        self.epoch = self.start_batch = 0

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Choose what the next iteration deals out: the batches of `epoch` from number `start_batch` on."""
        self.epoch, self.start_batch = epoch, start_batch

    def __len__(self) -> int:
        """Steps of a whole epoch, wherever it starts."""
        return self.steps

    def __iter__(self) -> Iterator[list[Key]]:
        # The length keeps these numbers apart from those of the sample at position 0: NumPy seeds alike from
        # (seed, epoch) and (seed, epoch, 0), and no position equals the length.
        rng = np.random.default_rng((self.seed, self.epoch, self.length))
        order = rng.permutation(self.length).tolist()
        epoch, parts = self.epoch, self.steps * self.world_size
        for step in range(self.start_batch, self.steps):
            part = step * self.world_size + self.rank
            start, stop = part * self.used // parts, (part + 1) * self.used // parts
            yield [(epoch, position, order[position]) for position in range(start, stop)]
