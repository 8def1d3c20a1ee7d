"""Finding by how much a mask lies beside a prediction."""

from __future__ import annotations

import numpy as np
import pytest

from otx_seg.labelling.judgement import Judgement
from otx_seg.labelling.offsets import Offset, best_offset


def scene(size: tuple[int, int] = (120, 160)) -> np.ndarray:
    """Rectangles of four labels."""
    rng = np.random.default_rng(1)
    mask = np.zeros(size, np.uint8)
    for label in (1, 2, 3) * 4:
        top, left = rng.integers(0, size[0] - 30), rng.integers(0, size[1] - 40)
        mask[top : top + 30, left : left + 40] = label
    return mask


def compared(mask: np.ndarray, predicted: np.ndarray) -> Offset:
    return best_offset(Judgement(mask, predicted, np.full_like(mask, 255), np.zeros_like(mask)))


@pytest.mark.parametrize(("right", "down"), [(8, 0), (-8, 0), (0, 8), (0, -8), (6, -4)])
def test_the_move_that_a_mask_needs(right: int, down: int) -> None:
    lies_beside = np.roll(scene(), (-down, -right), (0, 1))
    found = compared(lies_beside, scene())
    assert (found.right, found.down) == (right, down)
    assert found.gain > 0.05


@pytest.mark.parametrize("right", [0, 1, 2])
def test_less_than_a_network_can_see_is_no_offset(right: int) -> None:
    assert compared(np.roll(scene(), -right, 1), scene()) == Offset(0, 0, 0.0)


def test_ignored_pixels_do_not_count() -> None:
    mask = np.roll(scene(), -8, 1)
    mask[:60] = 255
    assert compared(mask, scene()).right == 8


def test_small_images_have_no_offset() -> None:
    mask = scene((60, 160))
    assert compared(np.roll(mask, -8, 1), mask) == Offset(0, 0, 0.0)


def test_a_mask_that_fits_the_better_the_farther_it_is_moved_is_not_shifted() -> None:
    halves = np.repeat([[0, 1]], 80, axis=1).repeat(120, axis=0).astype(np.uint8)
    assert compared(np.roll(halves, 30, 1), halves) == Offset(0, 0, 0.0)


@pytest.mark.parametrize(("width", "down"), [(55, 0), (60, 6)])
def test_a_little_gain_along_the_other_axis_is_chance(width: int, down: int) -> None:
    """In a strip of the image, the prediction is the mask moved down."""
    mask, predicted = np.roll(scene(), -8, 1), scene()
    predicted[:, 60 : 60 + width] = np.roll(mask, 6, 0)[:, 60 : 60 + width]
    found = compared(mask, predicted)
    assert (found.right, found.down) == (8, down)
