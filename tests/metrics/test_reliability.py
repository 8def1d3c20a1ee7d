"""Confidences compared with how often they are right."""

from __future__ import annotations

import numpy as np
import pytest

from otx_seg.metrics.reliability import BINS, Reliability, reliability_of


def test_by_hand() -> None:
    confidence = np.array([0.5, 0.52, 0.9, 0.92, 0.92, 0.93], np.float32)
    found = reliability_of(confidence, np.array([True, False, True, True, True, False]))
    # 0.5 and 0.52 lie in the 8th bin, above 7/15 up to 8/15; the others in the 14th, above 13/15 up to 14/15
    assert found.pixels == (0,) * 7 + (2,) + (0,) * 5 + (4,) + (0,)
    assert found.correct == (0,) * 7 + (1,) + (0,) * 5 + (3,) + (0,)
    assert found.error == pytest.approx((abs(1 - 1.02) + abs(3 - 3.67)) / 6)
    assert found.curve() == [(pytest.approx(0.51), 0.5, 2), (pytest.approx(3.67 / 4), 0.75, 4)]


def test_the_borders_of_bins() -> None:
    found = reliability_of(np.array([0.0, 1.0, 1 / BINS], np.float32), np.array([False, True, True]))
    assert found.pixels == (2, *(0,) * (BINS - 2), 1)


def test_parts_add_up_to_the_whole() -> None:
    rng = np.random.default_rng(0)
    confidence, correct = rng.random(1000, np.float32), rng.random(1000) < 0.6
    parts = [reliability_of(confidence[part], correct[part]) for part in (slice(0, 300), slice(300, 1000))]
    whole, together = reliability_of(confidence, correct), parts[0] + parts[1] + Reliability()
    assert (together.pixels, together.correct) == (whole.pixels, whole.correct)
    assert together.confidence == pytest.approx(whole.confidence)


def test_reliable_confidences_have_no_error() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.random(200_000).astype(np.float32)
    assert reliability_of(confidence, rng.random(200_000) < confidence).error == pytest.approx(0, abs=0.01)


def test_no_pixels() -> None:
    nothing = Reliability()
    assert nothing.error is None
    assert nothing.as_json() == {"expected_calibration_error": None, "bins": 15, "curve": []}
