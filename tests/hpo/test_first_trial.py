"""How long trials are under a time budget, with a first trial of known speed; the numbers are worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_network import small_template

from otx_seg.datasets import DataSpec, TrainingData, open_training
from otx_seg.hpo.first_trial import has_learned, settle_length, without_idle_start
from otx_seg.hpo.halving import Halving
from otx_seg.hpo.trial import Outcome
from otx_seg.training.setup.plan import Plan
from otx_seg.training.setup.search_settings import Settings

SHORTEST = Halving(3, (1 / 27,))  # with a ratio of 1.1: three trials of 1/27 cost 2/27


@pytest.fixture(scope="module")
def drawn(drawn_data: Path) -> TrainingData:
    return open_training(DataSpec(drawn_data / "train", drawn_data / "val"), 42)


class FirstTrial:
    """Makes as many steps as its share of a training of `total` steps; it remembers how far it was trained."""

    def __init__(self, total: int, score: float = 0.5, failure: str = "") -> None:
        self.total, self.score, self.failure = total, score, failure
        self.shares: list[float] = []
        self.outcomes: list[Outcome] = []

    def __call__(self, share: float) -> Outcome:
        self.shares.append(share)
        score = None if self.failure else self.score
        self.outcomes.append(Outcome(score, share, 0, int(share * self.total), 60.0, self.failure, 1))
        return self.outcomes[-1]

    def first(self) -> Outcome:
        return self.outcomes[0]


def length(drawn: TrainingData, trial: FirstTrial) -> Halving:
    template = small_template().override(
        {"learning_parameters.max_minutes": 10.0, "learning_parameters.num_iters": 100_000}
    )
    plan = Plan(template, "", DataSpec(Path()), 42, None, None, None, None, Settings(1.1, None))
    return settle_length(plan, drawn, SHORTEST, 1 / 27, trial, trial.first)


def test_the_shortest_trials_where_they_make_enough_steps(drawn: TrainingData) -> None:
    trial = FirstTrial(30_000)  # 1111 steps in 1/27
    assert length(drawn, trial) == SHORTEST
    assert trial.shares == [1 / 27]


def test_trials_are_as_long_as_the_fewest_steps_take(drawn: TrainingData) -> None:
    trial = FirstTrial(6000)  # 222 steps in 1/27, 500 in 1/12
    found = length(drawn, trial)
    assert found.trials == 2
    assert found.looks
    assert found.rungs[0] == 1 / 27
    assert 1 / 12 <= found.rungs[1] <= 1.1 / 12
    assert trial.shares == sorted(trial.shares)
    assert trial.shares[-1] == found.rungs[1]


def test_there_is_no_look_before_something_is_learned(drawn: TrainingData) -> None:
    found = length(drawn, FirstTrial(6000, score=0.2))
    assert not found.looks
    assert 1 / 12 <= found.rungs[0] <= 1.1 / 12


def test_a_look_has_to_be_worth_it(drawn: TrainingData) -> None:
    found = length(drawn, FirstTrial(10_000))  # 370 steps in 1/27, 500 in 1/20
    assert not found.looks
    assert 1 / 20 <= found.rungs[0] <= 1.1 / 20


def test_without_time_for_two_the_first_goes_on_alone(drawn: TrainingData, messages: Any) -> None:
    trial = FirstTrial(4200)  # 420 steps in a tenth, and 500 in 11.9 %
    assert length(drawn, trial) == Halving(1, (pytest.approx(0.1),))
    assert trial.shares[-1] == pytest.approx(0.1)
    assert "no search: the 500 steps after which trials can be compared take 12 % of this training" in messages.text
    assert "give it learning_parameters.max_minutes of 12 or --hpo-time-ratio 1.12." in messages.text


def test_what_learns_nothing_is_compared_nevertheless(drawn: TrainingData, messages: Any) -> None:
    trial = FirstTrial(4000, score=1 / len(drawn.train.labels))
    assert length(drawn, trial) == Halving(2, (pytest.approx(0.1),))
    assert "nothing is learned in 400 steps (mDice 0.1667). One other trial is made: the 500 steps" in messages.text


def test_a_first_trial_that_fails_says_nothing_of_the_length(drawn: TrainingData) -> None:
    trial = FirstTrial(100, failure="the loss became nan")
    assert length(drawn, trial) == SHORTEST
    assert trial.shares == [1 / 27]


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
