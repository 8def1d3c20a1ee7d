"""Models compared in turns."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from otx_seg.inference import latency
from otx_seg.inference.latency import compare_latency, timed_calls


class Slow:
    """A model that takes some seconds for an image."""

    gives_masks = False
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


def test_the_first_call_is_not_counted() -> None:
    calls: list[float] = []
    model: Any = Slow(0.0, calls)
    image = np.zeros((1, 3, 8, 16), np.uint8)
    assert len(timed_calls(lambda: model.probabilities(image))) == 1
    assert len(calls) == 2
    assert len(timed_calls(lambda: model.probabilities(image), least=3)) == 3
    assert len(calls) == 2 + 4


def test_calls_fill_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def call() -> None:
        nonlocal now
        now += 1.0

    monkeypatch.setattr("time.perf_counter", lambda: now)
    assert timed_calls(call, warm_up_s=2.5, seconds=4.5) == [1.0] * 5
    assert now == 3 + 5
