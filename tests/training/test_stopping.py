"""Early stopping counts validations and steps, and smooths scores; signals are noted, not obeyed at once."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from otx_seg.errors import UsageError
from otx_seg.metrics.watched import DICE, WATCHED
from otx_seg.template import load
from otx_seg.training.stopping import EarlyStopping, ScoreReached, StopRequest


def stopping(**parameters: float) -> EarlyStopping:
    values = {"early_stop_start": 2, "early_stop_patience": 2, "early_stop_iteration_patience": 0, **parameters}
    template = load("Lite-HRNet-s-mod2")
    return EarlyStopping(template.override({f"learning_parameters.{k}": v for k, v in values.items()}), warmup_steps=5)


def test_stops_after_patience_validations_without_improvement() -> None:
    early = stopping()
    scores = (0.1, 0.2, 0.2, 0.1, 0.1)
    assert [early.observe(epoch, 10 * epoch, score) for epoch, score in enumerate(scores, 1)] == [*[False] * 4, True]


def test_a_lucky_score_does_not_make_those_after_it_look_worse() -> None:
    """Without smoothing nothing exceeds the lucky one, and the training of a network that still learns ends."""
    early = stopping(early_stop_patience=5)
    rising = [0.3 + 0.01 * epoch + (0.15 if epoch == 5 else 0.0) for epoch in range(1, 21)]
    assert max(rising[5:15]) < rising[4]
    assert not any(early.observe(epoch, 10 * epoch, score) for epoch, score in enumerate(rising, 1))


def test_noise_about_a_level_is_not_learning() -> None:
    generator = np.random.default_rng(0)
    early = stopping(early_stop_patience=5)
    level = generator.normal(0.7, 0.01, 200)
    assert any(early.observe(epoch, 10 * epoch, score) for epoch, score in enumerate(level, 1))


def test_steps_without_improvement_are_needed_as_well() -> None:
    early = stopping(early_stop_iteration_patience=100)
    early.observe(1, 10, 0.5)
    assert not any(early.observe(epoch, 10 * epoch, 0.1) for epoch in range(2, 11))
    assert early.observe(11, 110, 0.1)


def test_never_before_the_start_epoch_or_within_the_warmup() -> None:
    early = stopping(early_stop_start=50)
    assert not any(early.observe(epoch, 10 * epoch, 0.0) for epoch in range(1, 50))
    early = stopping()
    assert not any(early.observe(10, 4, 0.0) for _ in range(9))


@pytest.mark.parametrize("parameters", [{"enable_early_stopping": False}, {"max_minutes": 5}])
def test_switched_off(parameters: dict[str, float]) -> None:
    early = stopping(**parameters)
    assert not any(early.observe(epoch, 10 * epoch, 0.0) for epoch in range(1, 50))


def test_the_count_survives_a_resume() -> None:
    early, restored = stopping(), stopping()
    early.observe(3, 30, 0.5)
    early.observe(4, 40, 0.4)
    early.observe(5, 50, 0.4)
    restored.load_state_dict(early.state_dict())
    assert restored.observe(6, 60, 0.4)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_the_next_one_acts(number: signal.Signals) -> None:
    class ObeyedError(Exception):
        pass

    def obey(*_: object) -> None:
        raise ObeyedError

    before = signal.signal(number, obey)
    try:
        with StopRequest() as request:
            os.kill(os.getpid(), number)
            assert request.signal_name == number.name
            with pytest.raises(ObeyedError):
                os.kill(os.getpid(), number)
        with pytest.raises(ObeyedError):
            os.kill(os.getpid(), number)
    finally:
        signal.signal(number, before)


def test_a_goal_that_is_reached_ends_the_training() -> None:
    stopping = ScoreReached(0.5, 1.0, DICE)
    assert [stopping.observe(epoch, 10 * epoch, score) for epoch, score in enumerate((0.4, 0.499, 0.5, 0.6))] == [
        False,
        False,
        True,
        True,
    ]
    reason = ScoreReached(0.5, 2.5, WATCHED["miou"]).reason
    assert reason == "the validation mIoU is within the limit of 2.5 mIoU points"


def test_another_goal_than_the_interrupted_run_had_is_refused() -> None:
    stopping = ScoreReached(0.5, 1.0, DICE)
    stopping.load_state_dict({"goal": 0.50001})
    assert stopping.goal == 0.50001
    with pytest.raises(UsageError, match=r"had to reach a Dice of 0.6000, not 0.5000"):
        stopping.load_state_dict({"goal": 0.6})
