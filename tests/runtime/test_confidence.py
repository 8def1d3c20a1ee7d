"""Pixels that are too unsure to be named."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from otx_seg.errors import UsageError
from otx_seg.runtime.confidence import UNKNOWN, check_min_confidence, without_unsure
from otx_seg.runtime.masks import PLAIN_ARGMAX, mask_at


def softmax(logits: NDArray[np.float64], axis: int = -3) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return (powers / powers.sum(axis=axis, keepdims=True)).astype(np.float32)


def drawn(classes: int = 4) -> NDArray[np.float32]:
    return softmax(np.random.default_rng(2).normal(0, 2, (classes, 20, 30)))


def test_unsure_pixels_are_unknown() -> None:
    size = (20, 30)
    make = lambda record: mask_at(drawn(), size, PLAIN_ARGMAX, record)  # noqa: E731
    plain = make(None)
    assert_array_equal(without_unsure(make, size, None), plain)
    found = without_unsure(make, size, 0.5)
    confidence = drawn().max(axis=0)
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
