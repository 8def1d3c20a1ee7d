"""After which epochs a training validates."""

from __future__ import annotations

import pytest

from otx_seg.template.hyper_parameters import LearningParameters
from otx_seg.training.validation import ValidationPace


def interval(images: int, steps_per_epoch: int, **parameters: object) -> int:
    pace = ValidationPace(LearningParameters(**parameters), images)  # type: ignore[arg-type]
    return next(epochs for epochs in range(1, 1000) if pace.is_due(epochs, steps_per_epoch))


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
