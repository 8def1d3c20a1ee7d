"""Boundary IoU by hand, against the steps of the paper's implementation, and in bands of rows."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from otx_seg.metrics.boundary import boundary_counts, boundary_distance


def square(top: int, left: int, side: int, size: tuple[int, int] = (30, 30)) -> np.ndarray:
    mask = np.zeros(size, np.uint8)
    mask[top : top + side, left : left + side] = 1
    return mask


def iou(prediction: np.ndarray, target: np.ndarray, distance: int, label: int = 1) -> float:
    agreed, true, predicted = boundary_counts(prediction, target, 3, distance)[label].tolist()
    return agreed / (true + predicted - agreed)


def test_a_square_shifted_by_two_pixels() -> None:
    # Bands of 10x10 squares, 2 pixels wide: 100 - 6 x 6 = 64 pixels each. Shifted to the right by 2, the one's columns
    # are 5..14 and the other's 7..16. Both have rows 5, 6, 13 and 14 in columns 7..14: 4 x 8 pixels; of the six
    # rows between, one band has columns 5, 6, 13, 14 and the other 7, 8, 15, 16: nothing in common.
    found = boundary_counts(square(5, 7, 10), square(5, 5, 10), 2, distance=2)
    assert found[1].tolist() == [32, 64, 64]
    assert iou(square(5, 7, 10), square(5, 5, 10), 2) == pytest.approx(32 / 96)
    # The whole squares have 80 of 120 pixels in common.
    assert iou(square(5, 7, 10), square(5, 5, 10), 5) == pytest.approx(80 / 120)


def test_background_is_a_label_like_others() -> None:
    # The image's border is a contour: 28 x 28 of 30 x 30 pixels are not at it, and 12 x 12 surround the square.
    found = boundary_counts(square(5, 5, 10), square(5, 5, 10), 2, distance=1)
    assert found[0].tolist() == [900 - 28 * 28 + 12 * 12 - 10 * 10] * 3
    assert found[1].tolist() == [36, 36, 36]


def test_thin_shapes_are_all_band() -> None:
    true, predicted = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)
    true[10:14, 5:35], predicted[12:16, 5:35] = 1, 1
    # 4 rows, of which 2 agree: the boundary IoU is the IoU, 60 / 180.
    assert iou(predicted, true, 2) == pytest.approx(1 / 3)
    assert boundary_counts(predicted, true, 2, 2)[1].tolist() == [60, 120, 120]


def test_errors_inside_of_an_object_weigh_less_and_those_of_its_outline_more() -> None:
    true, hole = square(5, 5, 20), square(5, 5, 20)
    hole[14:16, 14:16] = 0
    # The hole of 2 x 2 pixels has a contour too: 4 x 4 less 2 x 2 pixels of the prediction's band.
    assert boundary_counts(hole, true, 2, 1)[1].tolist() == [76, 76, 76 + 12]
    smaller = square(7, 7, 16)
    assert iou(smaller, true, 1) == 0  # while the IoU is 256 / 400


def test_two_labels_that_touch_have_a_contour_each() -> None:
    target = np.repeat(np.array([[0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]], np.uint8), 50, axis=0)
    found = boundary_counts(target, target, 4, 1)
    # Away from the first and the last row, which are all band: columns 0, 3 | 4, 7 | 8, 11.
    assert found.tolist() == [[2 * 48 + 8] * 3] * 3 + [[0, 0, 0]]


def test_ignored_pixels_count_nowhere_and_make_no_contour() -> None:
    target, prediction = np.ones((30, 30), np.uint8), np.ones((30, 30), np.uint8)
    whole = boundary_counts(prediction, target, 3, 2)
    assert whole[1].tolist() == [900 - 26 * 26] * 3
    target[10:20, 10:20] = 255
    np.testing.assert_array_equal(boundary_counts(prediction, target, 3, 2), whole)
    # What is predicted there changes nothing, be it another label that begins at its very border.
    prediction[10:20, 10:20] = 2
    np.testing.assert_array_equal(boundary_counts(prediction, target, 3, 2), whole)
    # At the image's border they leave the bands.
    target[0] = 255
    assert boundary_counts(prediction, target, 3, 2)[1].tolist() == [900 - 26 * 26 - 30] * 3


@pytest.mark.parametrize("labels", [(0, 1), (1, 0)])
def test_a_contour_goes_through_ignored_pixels(labels: tuple[int, int]) -> None:
    # One label in columns 0..19, another from 22 on, two ignored columns between: 3 pixels away is one of them,
    # counted from the pixel beside the strip.
    target = np.full((100, 40), labels[0], np.uint8)
    target[:, 20:22], target[:, 22:] = 255, labels[1]
    found = boundary_counts(np.where(target == 255, np.uint8(2), target), target, 3, 4)
    # Rows 4..95 away from the image's border: columns 0..3 and 18, 19 of the first, 22, 23 and 36..39 of the other.
    assert found[labels[0]].tolist() == [8 * 20 + 92 * 6] * 3
    assert found[labels[1]].tolist() == [8 * 18 + 92 * 6] * 3
    assert found[2].tolist() == [0, 0, 0]


def test_everything_ignored_and_labels_that_are_nowhere() -> None:
    target = np.full((5, 7), 255, np.uint8)
    assert boundary_counts(np.zeros_like(target), target, 2, 1).tolist() == [[0, 0, 0], [0, 0, 0]]
    # A label that is predicted and not there, and one that is there and not predicted.
    assert boundary_counts(square(5, 5, 10), np.zeros((30, 30), np.uint8), 2, 1)[1].tolist() == [0, 0, 36]
    assert boundary_counts(np.zeros((30, 30), np.uint8), square(5, 5, 10), 2, 1)[1].tolist() == [0, 36, 0]


def blobs(seed: int, size: tuple[int, int], classes: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, classes, (7, 9)).astype(np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_NEAREST)


def band_of(mask: np.ndarray, distance: int) -> np.ndarray:
    """That of one label, in steps of the paper: a frame of zeros, then one 3x3 erosion after another."""
    eroded = np.pad(mask, 1)
    for _ in range(distance):
        eroded = cv2.erode(eroded, np.ones((3, 3), np.uint8))
    return mask & ~eroded[1:-1, 1:-1]


@pytest.mark.parametrize("distance", [1, 3, 11, 60])
@pytest.mark.parametrize("size", [(60, 83), (1, 40), (40, 1), (5, 90)])
def test_counts_are_those_of_an_erosion_of_each_label(size: tuple[int, int], distance: int) -> None:
    target, prediction = blobs(0, size, 5), blobs(1, size, 5)
    found = boundary_counts(prediction, target, 5, distance)
    for label in range(5):
        true = band_of((target == label).astype(np.uint8), distance)
        predicted = band_of((prediction == label).astype(np.uint8), distance)
        assert found[label].tolist() == [int((true & predicted).sum()), int(true.sum()), int(predicted.sum())]


def test_labels_up_to_the_last() -> None:
    target = square(5, 5, 10) * np.uint8(254)
    assert boundary_counts(target, target, 255, 1)[254].tolist() == [36, 36, 36]


@pytest.mark.parametrize("rows", [1, 4, 7, 59, 200])
def test_bands_of_rows_are_counted_as_the_whole(rows: int) -> None:
    target, prediction = blobs(0, (60, 83), 5), blobs(1, (60, 83), 5)
    target[20:31, 11:40] = 255
    for distance in (1, 5, 40):
        whole = boundary_counts(prediction, target, 5, distance)
        np.testing.assert_array_equal(boundary_counts(prediction, target, 5, distance, rows=rows), whole)


def test_the_distance_is_a_share_of_the_diagonal_and_a_pixel_at_least() -> None:
    assert boundary_distance((300, 400), 0.02) == 10
    assert boundary_distance((1024, 2048), 0.02) == 46  # of 2289.7 pixels
    assert boundary_distance((1024, 2048), 0.005) == 11
    assert boundary_distance((8, 6), 0.02) == 1
