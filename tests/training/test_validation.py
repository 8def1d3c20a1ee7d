"""After which epochs a training validates."""

from __future__ import annotations

import time

import pytest

from otx_seg.template.hyper_parameters import LearningParameters
from otx_seg.training.validation import ValidationPace


def interval(images: int, steps_per_epoch: int, **parameters: object) -> int:
    pace = ValidationPace(LearningParameters(**parameters), images)  # type: ignore[arg-type]
    return next(epochs for epochs in range(1, 1000) if pace.is_due(epochs, steps_per_epoch))


def test_how_long_the_first_validation_will_take() -> None:
    """A step takes as long as predicting three times its images: 240 images as ten steps of eight."""
    pace = ValidationPace(LearningParameters(batch_size=8, max_minutes=10.0), 240)
    assert pace.expected_s(19, 19.0) == 0.0  # the first steps tell nothing
    assert pace.expected_s(20, 40.0) == 20.0
    assert pace.expected_s(20, 4000.0) == 300.0  # half of the time at most
    pace.note(time.monotonic() - 7.0)
    assert pace.expected_s(20, 40.0) == pytest.approx(7.0, abs=0.1)


def test_every_epoch_unless_asked_otherwise() -> None:
    assert interval(1000, 1) == 1


@pytest.mark.parametrize(
    ("images", "steps_per_epoch", "expected"),
    [
        (10, 100, 1),
        (10, 20, 3),  # round(5 * exp(-0.5))
        (10, 1, 5),
        # 240 images cost 10 steps of 8, a fifth of 10 + 40
        (240, 5, 8),
        (240, 40, 2),
        (241, 40, 2),
        (960, 100, 2),
    ],
)
def test_the_adaptive_interval(images: int, steps_per_epoch: int, expected: int) -> None:
    assert interval(images, steps_per_epoch, use_adaptive_interval=True, batch_size=8) == expected
