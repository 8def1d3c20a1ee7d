"""Class weights against values worked out by hand."""

from __future__ import annotations

import pytest

from otx_seg.class_weights import LabelStatistics, class_weights

# Ten images of 100 pixels: label 0 in all with 64 each, 1 in all with 27 each, 2 in five with 18 each, 3 in none.
FOUND = LabelStatistics(shares=(0.64, 0.27, 0.09, 0.0), frequencies=(0.64, 0.27, 0.18, 0.0), images=10)


def normalised(*weights: float) -> list[float]:
    mean = sum(share * weight for share, weight in zip(FOUND.shares, weights, strict=False))
    return [*(weight / mean for weight in weights), 1.0]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("none", [1, 1, 1, 1]),
        ("inverse_root", normalised(1 / 0.8, 1 / 0.27**0.5, 1 / 0.3)),
        ("median_frequency", normalised(0.27 / 0.64, 1.0, 0.27 / 0.18)),
        ("effective_number", normalised(0.01 / (1 - 0.99**6.4), 0.01 / (1 - 0.99**2.7), 0.01 / (1 - 0.99**0.9))),
        ("1, 2,0.5,7", normalised(1.0, 2.0, 0.5)),
    ],
)
def test_each_rule(rule: str, expected: list[float]) -> None:
    weights = class_weights(rule, FOUND)
    assert weights == pytest.approx(expected)
    assert sum(share * weight for share, weight in zip(FOUND.shares, weights, strict=True)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("sometimes", "'sometimes' is not none, inverse_root, median_frequency, effective_number or a list"),
        ("1,2", "2 weights for 4 labels"),
        ("1,2,x,4", "is not none, .* or a list of numbers such as"),
        ("1,2,0,4", "every weight must be a positive number"),
        ("1,2,nan,4", "every weight must be a positive number"),
        ("1,2,inf,4", "every weight must be a positive number"),
    ],
)
def test_rules_that_are_refused(rule: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        class_weights(rule, FOUND)
