"""Splits by label: what both parts have to show, whatever the images."""

from __future__ import annotations

import numpy as np
import pytest

from otx_seg.datasets.stratification import choose_validation


def shown_in(images: list[tuple[int, ...]], chosen: np.ndarray, side: bool) -> set[int]:
    return {label for labels, taken in zip(images, chosen, strict=True) for label in labels if taken == side}


@pytest.mark.parametrize("seed", range(40))
def test_random_data_sets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, labels = int(rng.integers(2, 60)), int(rng.integers(1, 12))
    often = rng.uniform(0, 1, labels) ** 3
    # The background, label 0, is in every image.
    images = [(0, *(np.flatnonzero(rng.random(labels) < often) + 1).tolist()) for _ in range(count)]
    taken = max(1, round(0.2 * count))
    chosen = choose_validation(images, labels + 1, taken, seed)
    assert chosen.shape == (count,)
    assert 0 < chosen.sum() < count
    occurrences = np.bincount([label for shown in images for label in shown], minlength=labels + 1)
    trained, validated = shown_in(images, chosen, side=False), shown_in(images, chosen, side=True)
    if any(all(occurrences[label] > 1 for label in shown) for shown in images):  # some image can be done without
        assert trained == set(np.flatnonzero(occurrences))
    assert np.array_equal(chosen, choose_validation(images, labels + 1, taken, seed))
    numbers = rng.permutation(labels + 4)  # as in a data set with other labels too
    renumbered = [[int(numbers[label]) for label in shown] for shown in images]
    assert np.array_equal(chosen, choose_validation(renumbered, labels + 4, taken, seed))
    if occurrences[occurrences > 0].min() * 0.2 >= 2:  # no label is rare
        assert chosen.sum() == taken
        assert validated == set(np.flatnonzero(occurrences))


def test_a_label_in_two_images_is_in_both_parts_and_one_in_a_single_image_is_trained_on() -> None:
    images = [(0,)] * 17 + [(0, 1), (0, 1), (0, 2)]
    for seed in range(30):
        chosen = choose_validation(images, 3, 4, seed)
        assert chosen.sum() == 4
        assert chosen[17:19].sum() == 1
        assert not chosen[19]


def test_many_rare_labels_take_more_images() -> None:
    images = [(label,) for label in range(6) for _ in range(2)]
    chosen = choose_validation(images, 6, 2, seed=0)
    assert chosen.reshape(6, 2).sum(axis=1).tolist() == [1] * 6


def test_labels_keep_their_shares() -> None:
    # A random choice of 20 of 100 images takes 4 of the 20 with label 1 with a standard deviation of 1.6.
    images = [(0, 1)] * 20 + [(0, 2)] * 30 + [(0,)] * 50
    for seed in range(20):
        chosen = choose_validation(images, 3, 20, seed)
        assert (chosen[:20].sum(), chosen[20:50].sum(), chosen[50:].sum()) == (4, 6, 10)


def test_training_comes_first_where_labels_cannot_be_in_both() -> None:
    # Three labels in two images each, two in each image: no two parts show all three.
    triangle = [(0, 1), (1, 2), (0, 2)]
    chosen = choose_validation(triangle, 3, 1, seed=1)
    assert shown_in(triangle, chosen, side=False) == {0, 1, 2}
    assert chosen.sum() == 1


def test_images_with_a_label_of_their_own() -> None:
    chosen = choose_validation([(0, 1, 2), (0, 3)], 4, 1, seed=0)
    assert chosen.tolist() == [False, True]  # the one that costs the training the fewest labels


def test_images_without_any_label() -> None:
    assert choose_validation([()] * 10, 2, 2, seed=0).sum() == 2


def test_seeds_choose_differently() -> None:
    chosen = {choose_validation([(0,)] * 10, 1, 2, seed).tobytes() for seed in range(10)}
    assert len(chosen) > 5
