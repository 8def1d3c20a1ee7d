"""Calibrated probabilities, and pixels that are too unsure to be named."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from otx_seg.errors import UsageError
from otx_seg.runtime.confidence import UNKNOWN, ConfidenceMap, check_min_confidence, tempered, without_unsure
from otx_seg.runtime.masks import PostProcessing, mask_at


def softmax(logits: NDArray[np.float64], axis: int = -3) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return (powers / powers.sum(axis=axis, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("temperature", [0.2, 0.7, 1.0, 1.9, 5.0])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_a_temperature_divides_the_logits(temperature: float, batch: tuple[int, ...]) -> None:
    logits = np.random.default_rng(0).normal(0, 4, (*batch, 5, 7, 3))
    found = tempered(softmax(logits), temperature)
    assert_allclose(found, softmax(logits / temperature), atol=2e-6)
    assert found.dtype == np.float32
    assert_array_equal(found.argmax(axis=-3), logits.argmax(axis=-3))
    assert_allclose(tempered(found, 1 / temperature), softmax(logits), atol=2e-5)


def test_what_is_impossible_stays_so() -> None:
    certain = np.array([1, 0, 0], np.float32).reshape(3, 1, 1)
    for temperature in (0.2, 5):
        assert_array_equal(tempered(certain, temperature), certain)


def drawn(classes: int = 4) -> NDArray[np.float32]:
    return softmax(np.random.default_rng(2).normal(0, 2, (classes, 20, 30)))


@pytest.mark.parametrize("size", [(20, 30), (47, 61), (900, 700)])
def test_masks_do_not_move_and_confidences_do(size: tuple[int, int]) -> None:
    for threshold, blur in ((0.0, 1), (0.6, 1), (0.4, 5)):
        plain, calibrated = ConfidenceMap(size), ConfidenceMap(size)
        mask = mask_at(drawn(), size, PostProcessing(threshold, blur), plain)
        assert_array_equal(mask_at(drawn(), size, PostProcessing(threshold, blur, 3.0), calibrated), mask)
        assert_array_equal(mask_at(drawn(), size, PostProcessing(threshold, blur, 3.0)), mask)
        assert calibrated.values.mean() < plain.values.mean()
        assert calibrated.values.min() > 0


def test_unsure_pixels_are_unknown() -> None:
    size, how = (20, 30), PostProcessing(0.0, 1, 2.0)
    make = lambda record: mask_at(drawn(), size, how, record)  # noqa: E731
    plain = make(None)
    assert_array_equal(without_unsure(make, size, None), plain)
    found = without_unsure(make, size, 0.5)
    confidence = tempered(drawn(), 2.0).max(axis=0)
    assert_array_equal(found == UNKNOWN, confidence < 0.5)
    assert 0 < (found == UNKNOWN).mean() < 1
    assert_array_equal(found[found != UNKNOWN], plain[found != UNKNOWN])


@pytest.mark.parametrize("value", [0.0, -0.5, 1.01, float("nan"), float("inf")])
def test_what_is_no_confidence(value: float) -> None:
    with pytest.raises(UsageError, match=f"--min-confidence {value:g}: is above 0 and at most 1"):
        check_min_confidence(value)


def test_what_is_one() -> None:
    for value in (None, 0.01, 1.0):
        check_min_confidence(value)
