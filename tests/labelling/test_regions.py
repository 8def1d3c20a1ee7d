"""Which regions of a mask are contradicted, and what they are called."""

from __future__ import annotations

import numpy as np
import pytest

from otx_seg.labelling.judgement import Judgement
from otx_seg.labelling.regions import Region, confident, regions_of

BACKGROUND, ROAD, CAR = 0, 1, 2
SIZE = (100, 100)


def judged(mask: np.ndarray, predicted: np.ndarray, confidence: int = 250, given: int = 5) -> Judgement:
    return Judgement(mask, predicted, np.full_like(mask, confidence), np.full_like(mask, given))


def full(label: int) -> np.ndarray:
    return np.full(SIZE, label, np.uint8)


def with_square(around: int, inside: int) -> np.ndarray:
    """A square of 30 x 20 pixels at x 10, y 40."""
    mask = full(around)
    mask[40:60, 10:40] = inside
    return mask


def only_region(mask: np.ndarray, predicted: np.ndarray, background: int | None = BACKGROUND) -> Region:
    judgement = judged(mask, predicted)
    found = regions_of(judgement, confident(judgement, np.full(3, 0.5)), background)
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("mask", "predicted", "kind"),
    [
        (with_square(BACKGROUND, BACKGROUND), with_square(BACKGROUND, CAR), "missing region"),
        (full(ROAD), with_square(ROAD, CAR), "missing region"),
        (with_square(BACKGROUND, CAR), full(BACKGROUND), "extra region"),
        (with_square(ROAD, CAR), full(ROAD), "extra region"),
        (with_square(BACKGROUND, CAR), with_square(BACKGROUND, ROAD), "other label"),
    ],
)
def test_what_seems_to_be_wrong(mask: np.ndarray, predicted: np.ndarray, kind: str) -> None:
    region = only_region(mask, predicted)
    assert region.kind == kind
    assert (region.box, region.pixels) == ((10, 40, 30, 20), 600)
    assert (region.in_mask, region.predicted) == (mask[50, 20], predicted[50, 20])
    assert region.weight == pytest.approx(600 * np.log(250 / 5) / np.log(255))


def test_a_band_along_a_border_is_a_shifted_border() -> None:
    mask, predicted = np.full((2, 300, 400), ROAD, np.uint8)
    mask[:50], predicted[:58] = CAR, CAR
    assert only_region(mask, predicted).kind == "shifted border"
    predicted[:90] = CAR
    assert only_region(mask, predicted).kind == "other label"  # too broad for a border


def test_without_background_objects_are_told_from_what_is_around_them() -> None:
    assert only_region(full(BACKGROUND), with_square(BACKGROUND, CAR), background=None).kind == "missing region"
    assert only_region(with_square(BACKGROUND, CAR), full(BACKGROUND), background=None).kind == "extra region"


def test_two_regions_of_the_same_labels_are_two() -> None:
    predicted = with_square(ROAD, CAR)
    predicted[80:95, 60:90] = CAR
    judgement = judged(full(ROAD), predicted)
    found = regions_of(judgement, confident(judgement, np.full(3, 0.5)), None)
    assert sorted(region.box for region in found) == [(10, 40, 30, 20), (60, 80, 30, 15)]


def test_confidence_is_compared_with_the_threshold_of_the_predicted_label() -> None:
    judgement = judged(full(ROAD), with_square(ROAD, CAR), confidence=128)
    assert confident(judgement, np.array([1, 1, 0.5])).sum() == 600
    assert not confident(judgement, np.array([0, 0, 0.51])).any()


def test_ignored_pixels_are_not_contradicted() -> None:
    mask = full(ROAD)
    mask[:50] = 255
    judgement = judged(mask, full(CAR))
    assert confident(judgement, np.zeros(3)).sum() == 5000


def test_specks_are_left_out() -> None:
    predicted = full(ROAD)
    predicted[3:5, 3:5] = CAR
    judgement = judged(full(ROAD), predicted)
    assert regions_of(judgement, confident(judgement, np.zeros(3)), None) == []
