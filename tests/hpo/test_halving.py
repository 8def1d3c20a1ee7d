"""How many trials fit a time ratio; the numbers are worked out by hand."""

from __future__ import annotations

import math

import pytest

from otx_seg.hpo.halving import (
    MOST_TRIALS,
    Halving,
    chosen,
    has_learned,
    plan_halving,
    promising,
    without_idle_start,
)


def test_the_ratio_counts_what_stopped_trials_cost() -> None:
    # 9 trials: 6 stop at 1/10, 2 at 3/10, the last one goes on: 1 + 6/10 + 6/10.
    assert Halving(9, (0.1, 0.3)).ratio() == pytest.approx(2.2)
    assert Halving(2, (0.25,)).ratio() == pytest.approx(1.25)
    assert Halving(1, (0.25,)).ratio() == 1.0


@pytest.mark.parametrize(
    ("ratio", "shortest", "epochs", "trials", "rungs"),
    [
        # 10 -> 3 -> 1: 7 + 2 * 3 = 13 first rungs in half a training, at most 1/26; 11 would leave each less than 1/27.
        (1.5, 1 / 27, None, 10, (1 / 27, 3 / 27)),
        (1.5, 4 / 104, 104, 10, (4 / 104, 12 / 104)),
        # 27 -> 9 -> 3 -> 1: 18 + 6 * 3 + 2 * 9 = 54 first rungs in three trainings.
        (4.0, 1 / 27, None, 27, (1 / 18, 1 / 6, 1 / 2)),
        # No trial is trained for longer than a training.
        (50.0, 1 / 27, None, 27, (1 / 9, 1 / 3, 1.0)),
        # Whole epochs: 4 of 100 and then 12, since 100 / 26 = 3.8 would be shorter than asked for.
        (1.5, 0.04, 100, 9, (0.04, 0.12)),
        (1.2, 0.2, 5, 2, (0.2,)),
    ],
)
def test_as_many_trials_as_the_ratio_allows(
    ratio: float, shortest: float, epochs: int | None, trials: int, rungs: tuple[float, ...]
) -> None:
    halving = plan_halving(ratio, shortest, epochs)
    assert halving is not None
    assert halving.trials == trials
    assert halving.rungs == pytest.approx(rungs)


@pytest.mark.parametrize("epochs", [None, 7, 300])
def test_no_search_takes_longer_than_its_ratio(epochs: int | None) -> None:
    for percent in range(101, 800, 7):
        halving = plan_halving(percent / 100, 1 / 27 if epochs is None else 1 / epochs, epochs)
        if halving is not None:
            assert 2 <= halving.trials <= MOST_TRIALS
            assert halving.ratio() <= percent / 100 + 1e-9
            assert halving.rungs[-1] <= 1.0


def test_too_little_time_for_two() -> None:
    assert plan_halving(1.19, 0.2) is None
    assert plan_halving(1.19, 0.2, 5) is None


def test_what_a_search_began_with_is_left_for_something_clearly_better() -> None:
    # At half of a training by two hundredths, at a quarter by four, before a tenth by ten.
    assert chosen({0: 0.500, 1: 0.519, 2: 0.4}, 1, 0.5) == [0]
    assert chosen({0: 0.500, 1: 0.521, 2: 0.4}, 1, 0.5) == [1]
    assert chosen({0: 0.500, 1: 0.539}, 1, 0.25) == [0]
    assert chosen({0: 0.500, 1: 0.541}, 1, 0.25) == [1]
    assert chosen({0: 0.500, 1: 0.599}, 1, 0.04) == [0]
    assert chosen({0: 0.500, 1: 0.601}, 1, 0.04) == [1]
    assert chosen({1: 0.2, 2: 0.1}, 1, 0.1) == [1]  # it failed, or was stopped before
    assert chosen({0: 0.500, 1: 0.600, 2: 0.509, 3: 0.505}, 2, 0.5) == [1, 0]


def test_a_lead_within_the_noise_of_the_images_is_none() -> None:
    assert chosen({0: 0.500, 1: 0.560}, 1, 0.5, {1: 0.05}) == [1]
    assert chosen({0: 0.500, 1: 0.560}, 1, 0.5, {1: 0.07}) == [0]
    assert chosen({0: 0.500, 1: 0.560}, 1, 0.5, {1: math.inf}) == [0]  # of one image
    assert chosen({1: 0.560, 2: 0.4}, 1, 0.5, {1: math.inf}) == [1]  # there is nothing else


def test_a_first_look_stops_what_does_not_lead() -> None:
    assert promising({0: 0.50, 1: 0.54, 2: 0.56, 3: 0.551}) == [0, 2, 3]
    assert promising({0: 0.50, 1: 0.2}) == [0]
    assert promising({2: 0.1, 1: 0.2}) == [1, 2]  # the start failed


def test_of_equal_trials_the_first_is_the_best() -> None:
    assert chosen({0: 0.5, 1: 0.7, 2: 0.5, 3: 0.1}, 3, 0.5) == [1, 0, 2]


def test_a_start_that_learned_nothing_gives_way_to_what_learned_something() -> None:
    assert without_idle_start({0: 0.2, 1: 0.3}, 6, False) == {1: 0.3}
    assert without_idle_start({0: 0.2, 1: 0.24}, 6, False) == {0: 0.2, 1: 0.24}  # by luck
    assert without_idle_start({0: 0.3, 1: 0.4}, 6, False) == {0: 0.3, 1: 0.4}
    assert without_idle_start({1: 0.4}, 6, True) == {1: 0.4}  # the start failed
    assert without_idle_start({0: 0.2}, 6, True) == {0: 0.2}  # the others did


def test_of_what_learned_nothing_the_usual_values_go_on() -> None:
    assert without_idle_start({0: 0.14, 1: 0.14}, 6, True) == {1: 0.14}
    assert without_idle_start({0: 0.14, 1: 0.13}, 6, True) == {0: 0.14, 1: 0.13}
    assert without_idle_start({0: 0.3, 1: 0.31}, 6, True) == {0: 0.3, 1: 0.31}


def test_answers_that_do_not_look_at_the_image_have_learned_nothing() -> None:
    shares = [0.7, 0.2, 0.1]
    by_share = sum(2 * p * p / (p + p) for p in shares) / 3
    assert by_share == pytest.approx(1 / 3)
    for answer in ([1.0, 0.0, 0.0], [1 / 3] * 3, [0.5, 0.3, 0.2]):
        blind = sum(2 * p * q / (p + q) for p, q in zip(shares, answer, strict=True)) / 3
        assert blind <= by_share
        assert not has_learned(blind, 3)
    assert not has_learned(None, 3)
    assert has_learned(0.39, 3)
