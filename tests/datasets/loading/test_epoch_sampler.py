"""Which samples a step of an epoch uses, on one process or several."""

from __future__ import annotations

import pytest

from otx_seg.datasets.loading.epoch_sampler import EpochSampler
from otx_seg.errors import DataError


def deal(length: int, batch_size: int, world_size: int, epoch: int = 0) -> list[list[list[tuple[int, int, int]]]]:
    """The batches of every rank."""
    dealt = []
    for rank in range(world_size):
        sampler = EpochSampler(length, batch_size, 42, rank, world_size)
        dealt.append(list(sampler.batches(epoch)))
        assert sampler.steps == len(dealt[-1])
    return dealt


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 8])
def test_every_sample_once_in_equal_numbers_of_steps(batch_size: int, world_size: int) -> None:
    for length in range(world_size, 40):
        ranks = deal(length, batch_size, world_size)
        assert len({len(batches) for batches in ranks}) == 1
        sizes = [len(batch) for batches in ranks for batch in batches]
        assert max(sizes) <= batch_size
        assert max(sizes) - min(sizes) <= 1
        assert min(sizes) >= min(2, batch_size, length // world_size)
        used = [index for batches in ranks for batch in batches for _, _, index in batch]
        assert len(used) == len(set(used))
        left_out = length - len(used)
        assert left_out == 0 or (batch_size <= 3 and left_out < 2 * world_size)


def test_one_process_leaves_out_a_sample_only_rather_than_a_batch_of_one() -> None:
    assert [len(batch) for batch in deal(5, 2, 1)[0]] == [2, 2]
    assert [len(batch) for batch in deal(9, 8, 1)[0]] == [4, 5]
    assert [len(batch) for batch in deal(18, 8, 1)[0]] == [6, 6, 6]
    assert [len(batch) for batch in deal(3, 8, 1)[0]] == [3]
    assert [len(batch) for batch in deal(1, 8, 1)[0]] == [1]


@pytest.mark.parametrize(
    ("length", "new", "others"),
    [(20, 2, 6), (20, 5, 5), (10, 8, 2), (100, 1, 9), (20, 0, 20), (20, 20, 0)],
)
def test_new_labels_are_balanced_with_old_ones(length: int, new: int, others: int) -> None:
    shown = list(range(0, new))
    sampler = EpochSampler(length, 4, 42, 0, 1, shown)
    drawn = []
    for epoch in range(40):
        used = [index for batch in sampler.batches(epoch) for _, _, index in batch]
        assert len(used) == len(set(used)) == new + others
        assert set(shown) <= set(used)
        drawn.append(tuple(index for index in used if index not in shown))
    assert {index for epoch in drawn for index in epoch} == set(range(new, length))  # all get their turn
    assert list(sampler.batches(7)) == list(EpochSampler(length, 4, 42, 0, 1, shown).batches(7))
    later = list(sampler.batches(7, 1))
    assert later == list(sampler.batches(7))[1:]


def test_positions_count_through_the_epoch_and_epochs_differ() -> None:
    first, second = (deal(20, 8, 1, epoch)[0] for epoch in (0, 1))
    for epoch, batches in enumerate((first, second)):
        keys = [key for batch in batches for key in batch]
        assert [key[:2] for key in keys] == [(epoch, position) for position in range(20)]
    orders = [[index for batch in batches for _, _, index in batch] for batches in (first, second)]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(20))
    assert deal(20, 8, 1)[0] == first


def test_two_ranks_together_follow_the_order_of_one() -> None:
    together = deal(20, 8, 1)[0]
    apart = deal(20, 4, 2)
    assert [a + b for a, b in zip(*apart, strict=True)] == together


def test_starting_in_the_middle_gives_the_rest_of_the_epoch() -> None:
    sampler = EpochSampler(20, 4, 42, 0, 1)
    assert list(sampler.batches(3, 2)) == list(sampler.batches(3))[2:]
    assert sampler.steps == 5


def test_fewer_samples_than_processes_are_refused() -> None:
    with pytest.raises(DataError, match="1 training images for 2 processes"):
        EpochSampler(1, 4, 42, 0, 2)


def test_rounds_make_one_long_epoch() -> None:
    sampler = EpochSampler(5, 4, 42, 0, 1, rounds=3)
    batches = list(sampler.batches(2))
    assert [len(batch) for batch in batches] == [3, 4, 4, 4]  # 15 samples, not three times 2 + 3
    keys = [key for batch in batches for key in batch]
    assert [key[:2] for key in keys] == [(2, position) for position in range(15)]
    rounds = [[index for _, _, index in keys[start : start + 5]] for start in (0, 5, 10)]
    assert [sorted(order) for order in rounds] == [list(range(5))] * 3
    assert len({tuple(order) for order in rounds}) > 1
    balanced = EpochSampler(20, 4, 42, 0, 1, [0, 1], rounds=2)
    used = [index for batch in balanced.batches(0) for _, _, index in batch]
    assert len(used) == 16
    assert used.count(0) == used.count(1) == 2
