"""The order of training samples: the same for any number of workers, repeatable from any step on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from otx_seg.errors import DataError

Key = tuple[int, int, int]
"""(epoch, position in the epoch's order, index of the sample)."""


@dataclass(frozen=True)
class EpochSize:
    """What the number of steps of an epoch follows from; `EpochSampler` says how.

    Attributes:
        samples: that there are, at least 1.
        batch_size: largest number of samples per process and step, at least 1.
        world_size: processes that train together.
        rounds: how often an epoch goes through the samples, at least 1.
        new: how many of the samples show labels that are new to the network.
    """

    samples: int
    batch_size: int
    world_size: int
    rounds: int = 1
    new: int = 0

    @property
    def round_length(self) -> int:
        """Samples of one round: all, or the new ones and as many others as balance them."""
        others = self.samples - self.new
        if not self.new or not others:
            return self.samples
        return self.new + min(others, max(1, math.isqrt(others // self.new)) * self.new)

    @property
    def steps(self) -> int:
        """
        Raises:
            DataError: there are fewer samples than processes.
        """
        if self.round_length < self.world_size:
            raise DataError(
                f"{self.round_length} training images for {self.world_size} processes: start at most "
                f"{self.round_length} processes"
            )
        length = self.round_length * self.rounds
        smallest = min(self.batch_size, 2)
        steps = min(-(-length // (self.batch_size * self.world_size)), length // (smallest * self.world_size))
        return max(steps, 1)


class EpochSampler:
    """Deals out the batches of an epoch in a random order that follows from the seed and the epoch alone.

    1. The epoch is cut into as few steps as `batch_size` allows, of sizes that differ by at most one, so that there
       is no small last batch: 18 samples at batch size 8 make three batches of 6.
    2. Each step is split over the processes the same way; all processes make the same number of steps, and together
       they use every sample once.
    3. Where some samples show labels that are new to the network, an epoch uses all of these and, for each of them, r
       of the others, chosen anew each time, r = max(1, floor(sqrt(number of others / number of these))): the balance
       of OTX 1.x, which keeps a few new images from drowning in the old ones, and the old labels from being forgotten.
    4. No process gets a batch of one sample (batch normalisation may need two) unless `batch_size` is 1 or there are
       fewer than two samples per process. Only for this, and only at batch sizes up to 3, an epoch may leave out up to
       2 * world_size - 1 samples; others in each epoch, since the order changes.
    5. An epoch of few steps, after each of which the loader would start anew, may go round several times: all of 1 to 4
       then holds for its rounds put together, each in an order of its own.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        seed: int,
        rank: int,
        world_size: int,
        new: Sequence[int] = (),
        rounds: int = 1,
    ) -> None:
        """Plan the epochs.

        Args:
            length: number of samples, at least 1.
            batch_size: largest number of samples per process and step, at least 1.
            seed: of the order, 0 or more.
            rank: which process this is, 0..world_size-1.
            world_size: number of processes that train together.
            new: the samples that show new labels; none of them, or all, means nothing.
            rounds: how often an epoch goes through the samples, at least 1.

        Raises:
            DataError: there are fewer samples than processes.
        """
        self.new = np.array(new, np.int64)
        self.others = np.setdiff1d(np.arange(length), self.new)
        size = EpochSize(length, batch_size, world_size, rounds, len(self.new))
        self.round_length, self.rounds, self.steps = size.round_length, rounds, size.steps
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self.used = min(self.round_length * rounds, self.steps * batch_size * world_size)

    def batches(self, epoch: int, start_batch: int = 0) -> Iterator[list[Key]]:
        """The keys of each step of an epoch, from step `start_batch` on."""
        # The length keeps these numbers apart from those of the sample at position 0: NumPy seeds alike from
        # (seed, epoch) and (seed, epoch, 0), and no position equals the length.
        rng = np.random.default_rng((self.seed, epoch, self.round_length * self.rounds))
        order = [index for _ in range(self.rounds) for index in self._round(rng)]
        parts = self.steps * self.world_size
        for step in range(start_batch, self.steps):
            part = step * self.world_size + self.rank
            start, stop = part * self.used // parts, (part + 1) * self.used // parts
            yield [(epoch, position, order[position]) for position in range(start, stop)]

    def _round(self, rng: np.random.Generator) -> list[int]:
        if not len(self.new):
            return cast(list[int], rng.permutation(self.round_length).tolist())
        drawn = rng.choice(self.others, self.round_length - len(self.new), replace=False)
        return cast(list[int], rng.permutation(np.concatenate((self.new, drawn))).tolist())
