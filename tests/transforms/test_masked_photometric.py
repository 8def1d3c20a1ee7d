"""Colour changes on values worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from otx_seg.transforms.masked_photometric import MaskedPhotometric
from otx_seg.transforms.photometric import Photometric

NEUTRAL: dict[str, Any] = {
    "probability": 1.0,
    "brightness": 0,
    "contrast": [1.0, 1.0],
    "saturation": [1.0, 1.0],
    "hue": 0,
}
MASK = np.zeros((48, 64), np.uint8)


def change(image: np.ndarray, seed: int = 0, **settings: Any) -> np.ndarray:
    changed, mask = MaskedPhotometric(**{**NEUTRAL, **settings})(image, MASK, np.random.default_rng(seed))
    assert mask is MASK
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    return changed


def make_noise() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)


def test_neutral_settings_change_nothing() -> None:
    image = make_noise()
    assert np.abs(change(image).astype(int) - image).max() <= 1


def test_probability_zero_hands_the_image_through() -> None:
    image = make_noise()
    assert change(image, probability=0.0, brightness=255) is image


def test_probability_is_the_share_of_changed_images() -> None:
    image = make_noise()
    transform = MaskedPhotometric(**{**NEUTRAL, "probability": 0.3, "brightness": 32})
    rng = np.random.default_rng(0)
    changed = sum(transform(image, MASK, rng)[0] is not image for _ in range(500))
    assert 0.24 < changed / 500 < 0.36


def test_brightness_runs_from_none_to_all_of_the_shift() -> None:
    grey = np.full((48, 64, 3), 100, np.uint8)
    strongest = []
    for seed in range(20):
        moved = change(grey, seed, brightness=32).astype(int) - 100
        assert np.abs(moved).max() <= 32
        assert (moved >= 0).all() or (moved <= 0).all()  # one sign per image
        assert np.abs(moved).min() <= 0.25 * np.abs(moved).max() + 1  # hardly anything where the noise is near 0
        strongest.append(np.abs(moved).max())
    assert max(strongest) > 24


def test_contrast_multiplies_and_saturates() -> None:
    image = np.full((48, 64, 3), 200, np.uint8)
    changed = change(image, contrast=[2.0, 2.0])
    assert changed.max() == 255
    assert changed.min() < 220
    assert (change(np.zeros_like(image), contrast=[2.0, 2.0]) == 0).all()


def test_saturation_zero_goes_to_the_luma() -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 200
    changed = change(red, saturation=[0.0, 0.0]).astype(int)
    # luma of (200, 0, 0) is 0.299 * 200 = 60; every pixel lies on the line between the two colours
    assert changed[..., 0].min() == pytest.approx(60, abs=8)
    assert changed[..., 0].max() == pytest.approx(200, abs=8)
    assert np.abs((200 - changed[..., 0]) / 140 - changed[..., 1] / 60).max() < 0.05


def test_saturation_and_hue_leave_grey_alone() -> None:
    grey = np.repeat(np.arange(64, dtype=np.uint8)[None, :, None], 48, axis=0).repeat(3, axis=2)
    assert np.abs(change(grey, saturation=[0.0, 3.0], hue=180).astype(int) - grey).max() <= 1


def test_hue_by_120_degrees_turns_red_into_green_or_blue() -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 240
    transform = Photometric(**{**NEUTRAL, "hue": 120.0})
    matrices = [transform._draw_colors(np.random.default_rng(seed)) for seed in range(200)]
    furthest = max(matrices, key=lambda matrix: matrix[1, 0])
    assert furthest[:, 0] == pytest.approx([0, 1, 0], abs=0.1)
    assert all(matrix[:, 0].sum() == pytest.approx(1) for matrix in matrices)


def test_the_change_is_smooth() -> None:
    grey = np.full((48, 64, 3), 100, np.uint8)
    for seed in range(10):
        moved = change(grey, seed, brightness=100).astype(int)[..., 0]
        steps = max(np.abs(np.diff(moved, axis=0)).max(), np.abs(np.diff(moved, axis=1)).max())
        assert steps <= 100 / (48 / 8) + 1  # at most the whole range over one cell of the finest grid


def test_same_generator_same_change() -> None:
    image = make_noise()
    settings = {"brightness": 32, "contrast": [0.5, 1.5], "saturation": [0.5, 1.5], "hue": 18}
    assert np.array_equal(change(image, 5, **settings), change(image, 5, **settings))
    assert not np.array_equal(change(image, 5, **settings), change(image, 6, **settings))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"probability": 1.5}, "probability must be a number in 0..1, not 1.5"),
        ({"brightness": -3}, "brightness"),
        ({"contrast": [1.5, 0.5]}, "contrast must be a pair"),
        ({"saturation": 0.5}, "saturation must be a pair"),
        ({"hue": 181}, "hue must be a number in 0..180, not 181"),
    ],
)
def test_numbers_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MaskedPhotometric(**{**NEUTRAL, **settings})
