"""Models compared in turns."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from otx_seg.inference import latency
from otx_seg.inference.latency import compare_latency


class Slow:
    """A model that takes some seconds for an image."""

    input_size = (8, 16)

    def __init__(self, seconds: float, calls: list[float]) -> None:
        self.seconds, self.calls = seconds, calls

    def probabilities(self, images: Any) -> Any:
        assert images.shape == (1, 3, 8, 16)
        assert images.dtype == np.uint8
        self.calls.append(self.seconds)
        time.sleep(self.seconds)


def test_the_slower_model_takes_longer_and_they_take_turns() -> None:
    calls: list[float] = []
    models: Any = [Slow(seconds, calls) for seconds in (0.0, 0.005)]
    fast, slow = compare_latency(models)
    assert slow >= 0.005
    assert fast < slow
    turns = [seconds for place, seconds in enumerate(calls) if place == 0 or calls[place - 1] != seconds]
    assert turns == [0.0, 0.005] * 20


def test_slow_models_are_called_less_often(monkeypatch: Any) -> None:
    monkeypatch.setattr(latency, "_LIMIT_S", 0.02)
    calls: list[float] = []
    models: Any = [Slow(0.005, calls)]
    assert compare_latency(models)[0] >= 0.005
    assert len(calls) == 10
