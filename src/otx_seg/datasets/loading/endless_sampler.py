"""The order of images that are dealt out for as long as a training lasts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from otx_seg.datasets.loading.epoch_sampler import Key


class EndlessSampler:
    """Deals out batches of one size, all images in turn, in a new random order each time around.

    1. The orders of all turns, one after the other, make an endless row that follows from the seed.
    2. Step s takes the next ``batch_size * world_size`` of them, process r its r-th part.

    Step s is the same whether or not the steps before it were asked for.
    """

    def __init__(self, length: int, batch_size: int, seed: int, rank: int, world_size: int) -> None:
        """
        Args:
            length: number of images, at least 1.
            batch_size: number of images per process and step, at least 1.
            seed: of the orders, 0 or more.
            rank: which process this is, 0..world_size-1.
            world_size: number of processes that train together.
        """
        self.length, self.batch_size, self.seed, self.rank, self.world_size = length, batch_size, seed, rank, world_size
        self._turn, self._order = -1, np.empty(0, np.int64)

    def batches(self, start_step: int) -> Iterator[list[Key]]:
        """(turn, position in the turn's order, index of the image) of each step from `start_step` on, without end."""
        step = start_step
        while True:
            first = (step * self.world_size + self.rank) * self.batch_size
            yield [self._key(place) for place in range(first, first + self.batch_size)]
            step += 1

    def _key(self, place: int) -> Key:
        turn, position = divmod(place, self.length)
        if turn != self._turn:
            self._turn = turn
            self._order = np.random.default_rng((self.seed, turn, self.length, 1)).permutation(self.length)
        return turn, position, int(self._order[position])
