"""Learning rates worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from otx_seg.template import load
from otx_seg.template.template import Schedule
from otx_seg.training.schedule import LearningRate


def rate(kind: str, warmup_steps: int = 0, **schedule: Any) -> LearningRate:
    template = load("Lite-HRNet-s-mod2").override(
        {"learning_parameters.learning_rate": 0.01, "learning_parameters.learning_rate_schedule": kind}
    )
    defaults: dict[str, Any] = {
        "warmup_start": 0.5,
        "poly_power": 2.0,
        "minimum_learning_rate": 1e-6,
        "plateau_factor": 0.1,
    }
    schedule_section = Schedule(**{**defaults, "plateau_patience": 1, **schedule})
    return LearningRate(template.model_copy(update={"schedule": schedule_section}), warmup_steps)


def test_poly_decay_ends_with_the_run() -> None:
    learning_rate = rate("poly")
    assert learning_rate.at(0, 0.0) == pytest.approx(0.01)
    assert learning_rate.at(7, 0.5) == pytest.approx(0.01 * 0.25)
    assert learning_rate.at(9, 1.0) == pytest.approx(1e-6)


def test_warmup_is_linear_and_then_over() -> None:
    learning_rate = rate("constant", warmup_steps=10)
    assert learning_rate.at(0, 0.0) == pytest.approx(0.005)
    assert learning_rate.at(5, 0.0) == pytest.approx(0.0075)
    assert learning_rate.at(10, 0.0) == pytest.approx(0.01)


def test_warmup_takes_a_tenth_of_the_run_at_most() -> None:
    learning_rate = rate("constant", warmup_steps=100)
    assert learning_rate.at(10, 0.05) == pytest.approx(0.0075)
    assert learning_rate.at(30, 0.05) == pytest.approx(0.0075)
    assert learning_rate.at(60, 0.05) == pytest.approx(0.008)
    assert learning_rate.at(20, 0.1) == pytest.approx(0.01)


def test_plateau_falls_after_more_than_patience_validations_without_improvement() -> None:
    learning_rate = rate("plateau")
    for score in (0.5, 0.5, 0.4):  # an equal score counts as improvement
        learning_rate.observe(100, score)
    assert learning_rate.at(100, 0.9) == pytest.approx(0.01)
    learning_rate.observe(100, 0.4)
    assert learning_rate.at(100, 0.9) == pytest.approx(0.001)
    restored = rate("plateau")
    restored.load_state_dict(learning_rate.state_dict())
    assert restored.at(100, 0.9) == learning_rate.at(100, 0.9)


def test_scores_during_warmup_do_not_count() -> None:
    learning_rate = rate("plateau", warmup_steps=50)
    for _ in range(9):
        learning_rate.observe(20, 0.0)
    assert learning_rate.at(60, 0.0) == pytest.approx(0.01)


def test_cosine_halves_in_the_middle() -> None:
    learning_rate = rate("cosine")
    found = [learning_rate.at(0, share) for share in (0.0, 0.25, 0.5, 1.0)]
    assert found == pytest.approx([0.01, 0.01 * (1 + 0.5**0.5) / 2, 0.005, 1e-6])


def test_one_cycle_rises_without_a_warmup() -> None:
    learning_rate = rate("one_cycle", warmup_steps=100, one_cycle_rise=0.2, one_cycle_start=0.1)
    found = [learning_rate.at(0, share) for share in (0.0, 0.1, 0.2, 0.6, 1.0)]
    assert found == pytest.approx([0.001, 0.0055, 0.01, 0.005, 1e-6])


def test_milestones_are_shares_of_the_run() -> None:
    learning_rate = rate("multi_step", milestones=(0.5, 0.75), milestone_factor=0.2)
    found = [learning_rate.at(0, share) for share in (0.0, 0.49, 0.5, 0.74, 0.75, 1.0)]
    assert found == pytest.approx([0.01, 0.01, 0.002, 0.002, 0.0004, 0.0004])


def test_exponential_decay() -> None:
    learning_rate = rate("exponential", exponential_end=0.01)
    assert [learning_rate.at(0, share) for share in (0.0, 0.5, 1.0)] == pytest.approx([0.01, 0.001, 0.0001])


def test_poly_by_epoch_stays_within_an_epoch_and_across_a_resume() -> None:
    learning_rate = rate("poly_epoch")
    assert learning_rate.at(0, 0.0, 0) == pytest.approx(0.01)
    assert learning_rate.at(4, 0.4, 0) == pytest.approx(0.01)
    assert learning_rate.at(5, 0.5, 1) == pytest.approx(0.0025)
    resumed = rate("poly_epoch")
    resumed.load_state_dict(learning_rate.state_dict())
    assert resumed.at(9, 0.9, 1) == pytest.approx(0.0025)


def test_after_the_decay_comes_the_cooldown() -> None:
    learning_rate = rate("poly", cooldown=0.2, minimum_learning_rate=1e-5)
    found = [learning_rate.at(0, share) for share in (0.0, 0.4, 0.8, 0.9, 1.0)]
    assert found == pytest.approx([0.01, 0.0025, 1e-5, 1e-5, 1e-5])


@pytest.mark.parametrize("kind", ["poly", "poly_epoch", "cosine", "multi_step", "exponential", "constant"])
def test_every_decay_has_a_warmup(kind: str) -> None:
    warmed, plain = rate(kind, warmup_steps=10), rate(kind)
    assert warmed.at(0, 0.0) == pytest.approx(0.5 * plain.at(0, 0.0))
    assert warmed.at(10, 0.05) == pytest.approx(plain.at(10, 0.05))
    assert warmed.decays == (kind != "constant")
