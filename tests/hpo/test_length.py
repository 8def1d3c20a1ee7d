"""How long trials are, and what a search leaves to the training; the numbers are worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_network import small_template

from otx_seg.datasets import DataSpec, TrainingData, open_training
from otx_seg.errors import UsageError
from otx_seg.hpo.halving import Halving
from otx_seg.hpo.length import minutes_of, plan_search, settle_length, with_time_left
from otx_seg.hpo.trial import Outcome
from otx_seg.training.setup.plan import Plan
from otx_seg.training.setup.search_settings import Settings

SHORTEST = Halving(3, (1 / 27,))  # with a ratio of 1.1: three trials of 1/27 cost 2/27


@pytest.fixture(scope="module")
def drawn(drawn_data: Path) -> TrainingData:
    return open_training(DataSpec(drawn_data / "train", drawn_data / "val"), 42)


def plan(minutes: float, ratio: float) -> Plan:
    parameters = {"max_minutes": minutes, "num_iters": 100, "batch_size": 2}
    template = small_template().override({f"learning_parameters.{name}": value for name, value in parameters.items()})
    roots = DataSpec(Path())
    return Plan(template, "", roots, 42, None, None, None, None, Settings(ratio, None))


@pytest.mark.parametrize(
    ("minutes", "ratio", "lost_s", "left"),
    [
        (10.0, 1.5, 120.0, 13.0),  # 15 minutes in all, and two of them lost
        (10.0, 1.5, 0.0, 15.0),
        (10.0, 1.2, 150.0, 10.0),  # trials may end a little late: the training has what was promised
        (0.0, 2.0, 100.0, 0.0),  # epochs end it
    ],
)
def test_the_training_gets_what_the_search_does_not_need(
    drawn: TrainingData, minutes: float, ratio: float, lost_s: float, left: float
) -> None:
    assert minutes_of(with_time_left(plan(minutes, ratio), drawn, lost_s, 0.2, 10)) == pytest.approx(left)


@pytest.mark.parametrize(("share", "steps", "left"), [(0.2, 70, 15.0), (0.2, 80, 10.0), (1.0, 300, 10.0)])
def test_time_that_cannot_be_used_is_not_given(drawn: TrainingData, share: float, steps: int, left: float) -> None:
    """400 steps are 100 epochs of four."""
    assert minutes_of(with_time_left(plan(10.0, 1.5), drawn, 0.0, share, steps)) == left


def test_trials_that_nothing_can_be_told_of_are_refused(drawn: TrainingData) -> None:
    with pytest.raises(UsageError, match=r"--enable-hpo: the validation images show none of the labels"):
        plan_search(plan(10.0, 1.5), replace(drawn, scorable=False))


class FirstTrial:
    """Makes as many steps as its share of a training of `total` steps; it remembers how far it was trained."""

    def __init__(self, total: int, score: float = 0.5, failure: str = "") -> None:
        self.total, self.score, self.failure = total, score, failure
        self.shares: list[float] = []

    def __call__(self, share: float, steps: float = math.inf) -> Outcome:
        made = int(min(share * self.total, steps))
        share = min(share, steps / self.total)
        self.shares.append(share)
        return Outcome(None if self.failure else self.score, share, 0, made, 60.0, self.failure, 1)


def length(drawn: TrainingData, trial: FirstTrial) -> Halving:
    template = small_template().override(
        {"learning_parameters.max_minutes": 10.0, "learning_parameters.num_iters": 100_000}
    )
    plan = Plan(template, "", DataSpec(Path()), 42, None, None, None, None, Settings(1.1, None))
    return settle_length(plan, drawn, SHORTEST, trial(1 / 27), trial)


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
    assert found.rungs[1] == pytest.approx(1 / 12)
    assert trial.shares == list(found.rungs)


def test_there_is_no_look_before_something_is_learned(drawn: TrainingData) -> None:
    found = length(drawn, FirstTrial(6000, score=0.2))
    assert not found.looks
    assert found.rungs[0] == pytest.approx(1 / 12)


def test_a_look_has_to_be_worth_it(drawn: TrainingData) -> None:
    found = length(drawn, FirstTrial(10_000))  # 370 steps in 1/27, 500 in 1/20
    assert not found.looks
    assert found.rungs[0] == pytest.approx(1 / 20)


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
