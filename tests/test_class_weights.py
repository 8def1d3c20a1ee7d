"""Class weights against values worked out by hand."""

from __future__ import annotations

import math

import pytest

from otx_seg.class_weights import RULES, LabelStatistics, class_weights

# Ten images of 100 pixels: label 0 in all with 64 each, 1 in all with 27 each, 2 in five with 18 each, 3 in none.
FOUND = LabelStatistics(pixels=(640, 270, 90, 0), around=(1000, 1000, 500, 0), images=10)


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
        ("inverse", normalised(1 / 0.64, 1 / 0.27, 1 / 0.09)),
        ("inverse_log", normalised(1 / math.log(640), 1 / math.log(270), 1 / math.log(90))),
        ("one_minus_share", normalised(0.36, 0.73, 0.91)),
        ("erfnet", normalised(1 / math.log(1.66), 1 / math.log(1.29), 1 / math.log(1.11))),
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
        ("sometimes", "'sometimes' is not none, inverse_root, inverse, .*, effective_pixels or a list"),
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


# 10,000 pixels of four labels; the weights of other toolkits, which they scale by the third label.
SHARED = LabelStatistics(pixels=(6000, 3000, 900, 100), around=(10_000,) * 4, images=1)


@pytest.mark.parametrize(
    ("rule", "published"),
    [
        ("inverse", [0.15, 0.3, 1, 9]),
        ("inverse_root", [0.387, 0.548, 1, 3]),
        ("inverse_log", [0.782, 0.850, 1, 1.477]),
        ("effective_pixels", [0.633, 0.656, 1, 6.01]),
    ],
)
def test_the_weights_of_other_toolkits(rule: str, published: list[float]) -> None:
    weights = class_weights(rule, SHARED)
    assert [weight / weights[2] for weight in weights] == pytest.approx(published, rel=1e-3)


def test_labels_of_a_pixel_or_of_all_have_finite_weights() -> None:
    for pixels in ((1, 1000), (1000, 0), (1, 1)):
        found = LabelStatistics(pixels, (sum(pixels),) * 2, images=1)
        for rule in RULES:
            assert all(math.isfinite(weight) and weight > 0 for weight in class_weights(rule, found)), (rule, pixels)
