import cv2
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from otx_seg.runtime import masks
from otx_seg.runtime.masks import PLAIN_ARGMAX, PostProcessing, mask_at


def random_probabilities(classes: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    # Whole 64ths: interpolation by the shares below is exact in float32, so that no rounding decides a pixel.
    values = np.random.default_rng(seed).integers(0, 64, (classes, height, width))
    return (values / 64).astype(np.float32)


def by_cv2(probabilities: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    planes = [cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR) for plane in probabilities]
    return np.stack(planes).argmax(axis=0)


def by_torch(probabilities: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    batch = torch.from_numpy(probabilities)[None]
    resized = torch.nn.functional.interpolate(batch, size=size, mode="bilinear", align_corners=False)
    return resized[0].argmax(dim=0).numpy()


@pytest.fixture(params=["in one piece", "in bands"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small masks are made in one piece, large ones in bands; what holds for one holds for the other."""
    if request.param == "in bands":
        monkeypatch.setattr(masks, "_PIXELS_IN_ONE_PIECE", 0)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("size", [(32, 64), (16, 16), (64, 16), (4, 8)])
def test_equals_cv2_and_torch_where_the_arithmetic_is_exact(size: tuple[int, int]) -> None:
    probabilities = random_probabilities(5, 16, 16)
    before = probabilities.copy()
    mask = mask_at(probabilities, size)
    assert mask.dtype == np.uint8
    assert_array_equal(mask, by_cv2(probabilities, size))
    assert_array_equal(mask, by_torch(probabilities, size))
    assert_array_equal(probabilities, before)


@pytest.mark.usefixtures("way")
def test_differs_from_cv2_and_torch_by_rounding_alone() -> None:
    probabilities = np.random.default_rng(2).random((12, 50, 70), np.float32)
    mask = mask_at(probabilities, (333, 259))
    assert (mask == by_cv2(probabilities, (333, 259))).mean() > 0.9995
    assert (mask == by_torch(probabilities, (333, 259))).mean() > 0.9995


def test_bands_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    probabilities = np.random.default_rng(1).random((7, 37, 53), np.float32)
    monkeypatch.setattr(masks, "_PIXELS_IN_ONE_PIECE", 0)
    whole = mask_at(probabilities, (211, 167))
    for rows in (1, 2, 13, 210):
        monkeypatch.setattr(masks, "PIXELS_AT_ONCE", rows * 167)
        assert_array_equal(mask_at(probabilities, (211, 167)), whole)


@pytest.mark.usefixtures("way")
def test_of_equal_probabilities_the_lowest_label_wins() -> None:
    assert_array_equal(mask_at(np.full((3, 2, 2), 0.25, np.float32), (5, 4)), np.zeros((5, 4)))


@pytest.mark.usefixtures("way")
def test_a_single_pixel_and_a_single_label() -> None:
    assert_array_equal(mask_at(np.array([[[0.2]], [[0.8]]], np.float32), (3, 2)), np.ones((3, 2)))
    assert_array_equal(mask_at(np.ones((1, 4, 4), np.float32), (8, 8)), np.zeros((8, 8)))


@pytest.mark.usefixtures("way")
def test_values_by_hand() -> None:
    # Label 1 falls 1, 0 along the row: at four pixels 1, 0.75, 0.25, 0; label 0 is 0.5 everywhere.
    probabilities = np.array([[[0.5, 0.5]], [[1.0, 0.0]]], np.float32)
    assert_array_equal(mask_at(probabilities, (1, 4)), [[1, 1, 0, 0]])


@pytest.mark.usefixtures("way")
def test_soft_threshold_leaves_label_0_where_nothing_is_likely() -> None:
    probabilities = np.array([[[0.3, 0.2]], [[0.4, 0.1]], [[0.3, 0.7]]], np.float32)
    assert_array_equal(mask_at(probabilities, (1, 2)), [[1, 2]])
    assert_array_equal(mask_at(probabilities, (1, 2), PostProcessing(0.5, 1)), [[0, 2]])
    assert_array_equal(mask_at(probabilities, (1, 2), PostProcessing(0.5, -1)), [[1, 2]])


@pytest.mark.usefixtures("way")
def test_blur_removes_a_lone_pixel() -> None:
    one = np.zeros((5, 5), np.float32)
    one[2, 2] = 1
    probabilities = np.stack([1 - one, one])
    assert mask_at(probabilities, (5, 5)).sum() == 1
    assert mask_at(probabilities, (5, 5), PostProcessing(0.0, 3)).sum() == 0


def test_plain_argmax_does_not_copy() -> None:
    probabilities = random_probabilities(2, 4, 4)
    assert PLAIN_ARGMAX.thresholded(PLAIN_ARGMAX.smoothed(probabilities)) is probabilities


def test_labels_that_cannot_win_are_left_out_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    coarse = rng.normal(scale=4, size=(9, 6, 5)).astype(np.float32)
    logits = np.stack([cv2.resize(plane, (50, 60), interpolation=cv2.INTER_CUBIC) for plane in coarse])
    likely = torch.from_numpy(logits).softmax(dim=0).numpy()
    looked_at: list[int] = []
    possible = masks._possible

    def watched(probabilities: np.ndarray, least_sum: float) -> np.ndarray:
        found = possible(probabilities, least_sum)
        looked_at.append(len(found))
        return found

    monkeypatch.setattr(masks, "_PIXELS_IN_ONE_PIECE", 0)
    monkeypatch.setattr(masks, "PIXELS_AT_ONCE", 10 * 171)
    monkeypatch.setattr(masks, "_possible", lambda probabilities, _: np.arange(len(probabilities), dtype=np.uint8))
    everything = mask_at(likely, (223, 171))
    monkeypatch.setattr(masks, "_possible", watched)
    assert_array_equal(mask_at(likely, (223, 171)), everything)
    assert sum(looked_at) < 9 * len(looked_at)


def test_which_labels_can_win_by_hand() -> None:
    # Label 2 has at most 0.1, so that one of the others has at least 0.9 / 3, which label 0 never has.
    two_pixels = np.array([[0.25, 0.1], [0.6, 0.2], [0.1, 0.05], [0.05, 0.65]], np.float32)[:, None]
    assert masks._possible(two_pixels, 1.0).tolist() == [1, 3]
    # Where a threshold took all of a pixel's probabilities, nothing is known about its neighbourhood.
    assert masks._possible(two_pixels, 0.0).tolist() == [0, 1, 2, 3]
