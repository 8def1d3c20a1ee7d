"""Folds by label: what all of them have to be, whatever the images."""

from __future__ import annotations

import numpy as np
import pytest

from otx_seg.datasets.folds import deal_into_folds


@pytest.mark.parametrize("seed", range(40))
def test_random_data_sets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, labels = int(rng.integers(2, 60)), int(rng.integers(1, 12))
    often = rng.uniform(0, 1, labels) ** 3
    # The background, label 0, is in every image.
    images = [(0, *(np.flatnonzero(rng.random(labels) < often) + 1).tolist()) for _ in range(count)]
    folds = int(rng.integers(2, min(count, 8) + 1))
    dealt = deal_into_folds(images, labels + 1, folds, seed)
    sizes = np.bincount(dealt, minlength=folds)
    assert sizes.sum() == count
    assert sizes.max() - sizes.min() <= 1
    for label in range(labels + 1):
        of_label = dealt[[label in shown for shown in images]]
        if len(of_label) > 1:
            assert len(set(of_label)) > 1, "it cannot be learned while its fold is validated on"
    assert np.array_equal(dealt, deal_into_folds(images, labels + 1, folds, seed))
    numbers = rng.permutation(labels + 4)  # as in a data set with other labels too
    renumbered = [[int(numbers[label]) for label in shown] for shown in images]
    assert np.array_equal(dealt, deal_into_folds(renumbered, labels + 4, folds, seed))


def test_labels_keep_their_shares() -> None:
    images = [(0, 1)] * 20 + [(0, 2)] * 30 + [(0,)] * 50
    for seed in range(20):
        dealt = deal_into_folds(images, 3, 5, seed)
        assert np.bincount(dealt[:20]).tolist() == [4] * 5
        assert np.bincount(dealt[20:50]).tolist() == [6] * 5
        assert np.bincount(dealt).tolist() == [20] * 5


def test_a_label_in_as_many_images_as_folds_is_in_each() -> None:
    for seed in range(20):
        assert sorted(deal_into_folds([(0, 1)] * 5 + [(0,)] * 13, 2, 5, seed)[:5]) == list(range(5))


def test_a_fold_for_each_image() -> None:
    assert sorted(deal_into_folds([(0,), (0, 1), (0, 1), ()], 2, 4, seed=1)) == [0, 1, 2, 3]


def test_a_label_is_not_in_one_fold_alone() -> None:
    """Dealing out alone puts both images with label 7 into one fold now and then."""
    images = [(6,), (4, 5), (7,), (2,), (3, 4), (0,), (0,), (7,)]
    for seed in range(50):
        dealt = deal_into_folds(images, 8, 2, seed)
        assert np.bincount(dealt).tolist() == [4, 4]
        for label in (0, 4, 7):
            assert {int(fold) for fold, shown in zip(dealt, images, strict=True) if label in shown} == {0, 1}


def test_seeds_choose_differently() -> None:
    assert len({deal_into_folds([(0,)] * 10, 1, 3, seed).tobytes() for seed in range(10)}) > 5
