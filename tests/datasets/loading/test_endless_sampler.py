"""The endless order of unlabelled images."""

from __future__ import annotations

from itertools import chain, islice

import pytest

from otx_seg.datasets.loading.endless_sampler import EndlessSampler


@pytest.mark.parametrize(("length", "batch_size"), [(7, 3), (3, 8), (1, 2), (6, 6)])
def test_every_image_once_in_each_turn(length: int, batch_size: int) -> None:
    sampler = EndlessSampler(length, batch_size, 42, 0, 1)
    batches = list(islice(sampler.batches(0), 5 * length))
    assert {len(batch) for batch in batches} == {batch_size}
    keys = list(chain.from_iterable(batches))
    for turn in range(5 * batch_size):
        part = keys[turn * length : (turn + 1) * length]
        assert [key[:2] for key in part] == [(turn, position) for position in range(length)]
        assert sorted(index for _, _, index in part) == list(range(length))


def test_the_order_changes_from_turn_to_turn_and_with_the_seed() -> None:
    orders = {
        tuple(index for _, _, index in batch)
        for seed in (1, 2)
        for batch in islice(EndlessSampler(20, 20, seed, 0, 1).batches(0), 3)
    }
    assert len(orders) == 6


def test_any_step_can_come_first() -> None:
    whole = list(islice(EndlessSampler(7, 3, 42, 0, 1).batches(0), 20))
    assert list(islice(EndlessSampler(7, 3, 42, 0, 1).batches(11), 9)) == whole[11:]


def test_two_processes_share_the_row() -> None:
    one = list(islice(EndlessSampler(7, 4, 42, 0, 1).batches(0), 10))
    first, second = (list(islice(EndlessSampler(7, 2, 42, rank, 2).batches(0), 10)) for rank in (0, 1))
    assert [a + b for a, b in zip(first, second, strict=True)] == one
