"""The geometry of random views: what a pixel of the result shows, in image and mask alike."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from otx_seg.transforms.random_view import RandomView

STILL: dict[str, Any] = {
    "scale_range": [1.0, 1.0],
    "single_label_limit": 1.0,
    "flip_probability": 0.0,
    "rotation_degrees": 0.0,
    "rotation_probability": 0.0,
}


def make_view(size: tuple[int, int], **changes: Any) -> RandomView:
    return RandomView(size, **{**STILL, **changes})


def make_pair(height: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A mask of large patches of labels 1..4, and an image whose three channels are 50 times the label."""
    patches = np.random.default_rng(seed).integers(1, 5, (4, 4)).astype(np.uint8)
    mask = cv2.resize(patches, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.repeat(mask[..., None] * 50, 3, axis=2), mask


def noise_pair(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    return rng.integers(0, 256, (height, width, 3), np.uint8), rng.integers(0, 9, (height, width), np.uint8)


def test_nothing_to_change_gives_the_very_pixels() -> None:
    image, mask = noise_pair(30, 40)
    view, truth = make_view((30, 40))(image, mask, np.random.default_rng(0))
    assert np.array_equal(view, image)
    assert np.array_equal(truth, mask)


def test_ratio_one_shows_what_validation_shows() -> None:
    image, mask = noise_pair(90, 120)
    view, truth = make_view((48, 64))(image, mask, np.random.default_rng(0))
    expected = cv2.resize(image, (64, 48), interpolation=cv2.INTER_LINEAR)
    assert view.dtype == truth.dtype == np.uint8
    assert np.abs(view.astype(int) - expected).mean() < 2  # the warp places samples on a grid of 1/32 pixel
    # The pixel of the mask nearest to the centre of each pixel of the window:
    rows, columns = ((np.arange(48) + 0.5) * 90 / 48 - 0.5), ((np.arange(64) + 0.5) * 120 / 64 - 0.5)
    nearest = mask[np.ix_(np.rint(rows).astype(int), np.rint(columns).astype(int))]
    assert (truth == nearest).mean() > 0.99


def test_flip_is_an_exact_mirror_image() -> None:
    image, mask = noise_pair(30, 40)
    view, truth = make_view((30, 40), flip_probability=1.0)(image, mask, np.random.default_rng(0))
    assert np.array_equal(view, image[:, ::-1])
    assert np.array_equal(truth, mask[:, ::-1])


def test_half_size_fills_a_quarter_and_the_rest_is_ignored() -> None:
    image, mask = make_pair(64, 64)
    places = set()
    for seed in range(10):
        view, truth = make_view((64, 64), scale_range=[0.5, 0.5])(image, mask, np.random.default_rng(seed))
        inside = truth != 255
        assert inside.mean() == pytest.approx(0.25, abs=0.02)
        assert view[truth == 255].mean() < 5  # black, but for the blended edge
        places.add(tuple(np.argwhere(inside)[0]))
    assert len(places) > 5


def test_double_size_shows_a_quarter_everywhere_inside() -> None:
    image, mask = make_pair(64, 64)
    for seed in range(10):
        _, truth = make_view((64, 64), scale_range=[2.0, 2.0])(image, mask, np.random.default_rng(seed))
        assert not (truth == 255).any()


def test_image_and_mask_move_together() -> None:
    image, mask = make_pair(120, 160)
    view = make_view(
        (96, 128), scale_range=[0.5, 2.0], flip_probability=0.5, rotation_degrees=45, rotation_probability=1.0
    )
    for seed in range(20):
        changed, truth = view(image, mask, np.random.default_rng(seed))
        assert changed.shape == (96, 128, 3)
        assert truth.shape == (96, 128)
        agree = np.rint(changed[..., 0] / 50) == np.where(truth == 255, 0, truth)
        assert agree.mean() > 0.95  # all but the blended pixels of edges


def test_rotation_turns_about_the_centre_of_the_window() -> None:
    mask = np.zeros((65, 65), np.uint8)
    mask[30:35, 30:35] = 1
    image = np.zeros((65, 65, 3), np.uint8)
    view = make_view((65, 65), rotation_degrees=180, rotation_probability=1.0)
    for seed in range(5):
        _, truth = view(image, mask, np.random.default_rng(seed))
        assert np.argwhere(truth == 1).mean(axis=0) == pytest.approx([32, 32], abs=0.5)
        assert (truth == 255).sum() > 10  # corners from outside the image


def test_a_single_label_fills_at_most_its_share() -> None:
    mask = np.repeat(np.array([[0, 1]], np.uint8), 32, axis=1).repeat(64, axis=0)  # left half 0, right half 1
    image = np.zeros((64, 64, 3), np.uint8)
    shares = {}
    for limit in (1.0, 0.75):
        view = make_view((64, 64), scale_range=[2.0, 2.0], single_label_limit=limit)
        truths = [view(image, mask, np.random.default_rng(seed))[1] for seed in range(30)]
        shares[limit] = max(max(truth.mean(), 1 - truth.mean()) for truth in truths)
    assert shares[1.0] > 0.9
    assert shares[0.75] < 0.79  # measured on every fourth pixel


def test_ignored_pixels_do_not_count_into_the_share() -> None:
    mask = np.full((64, 64), 255, np.uint8)
    mask[:, :8], mask[:, 8:16] = 0, 1
    view = make_view((64, 64), single_label_limit=0.75)
    assert view._largest_share(mask, np.eye(2, 3)) == pytest.approx(0.5, abs=0.1)
    assert view._largest_share(np.full_like(mask, 255), np.eye(2, 3)) == 0


def test_same_generator_same_view() -> None:
    image, mask = noise_pair(50, 50)
    view = make_view((32, 32), scale_range=[0.5, 2.0], rotation_degrees=20, rotation_probability=0.5)
    first, second = (view(image, mask, np.random.default_rng((1, 2, 3))) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


def test_the_inputs_stay_as_they_are() -> None:
    image, mask = noise_pair(50, 50)
    image.setflags(write=False)
    mask.setflags(write=False)
    make_view((32, 32))(image, mask, np.random.default_rng(0))


def test_a_very_long_image_works() -> None:
    image, mask = np.full((4, 40_000, 3), 9, np.uint8), np.ones((4, 40_000), np.uint8)
    view, truth = make_view((32, 32))(image, mask, np.random.default_rng(0))
    assert (view[8:24, 1:-1] == 9).all()  # next to black where four rows are stretched to the edge of the window
    assert (truth == 1).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale_range": [2.0, 0.5]}, "scale_range must be a pair"),
        ({"scale_range": 0.5}, "scale_range must be a pair"),
        ({"scale_range": [0.0, 1.0]}, r"each end of scale_range must be a number in 0.01..100, not 0.0"),
        ({"single_label_limit": 75}, "single_label_limit must be a number in 0..1, not 75"),
        ({"flip_probability": "0.5"}, "flip_probability must be a number in 0..1, not '0.5'"),
        ({"rotation_degrees": -1}, "rotation_degrees must be a number in 0..180, not -1"),
        ({"rotation_probability": True}, "rotation_probability"),
    ],
)
def test_numbers_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_view((32, 32), **changes)
