"""What a search leaves to the training; the numbers are worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from small_network import small_template

from otx_seg.datasets import DataSpec, TrainingData, open_training
from otx_seg.errors import UsageError
from otx_seg.hpo.length import minutes_of, plan_search, with_time_left
from otx_seg.training.setup.plan import Plan
from otx_seg.training.setup.search_settings import Settings


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
