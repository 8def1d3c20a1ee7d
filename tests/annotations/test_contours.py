"""Contours cover regions exactly, and polygons with fewer corners stay within the tolerance."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from otx_seg.annotations.canvas import Canvas
from otx_seg.annotations.contours import junctions_of, trace
from otx_seg.annotations.mask_regions import MaskRegion, MaskRegions


def noise(seed: int, size: tuple[int, int] = (24, 30), blur: int = 1) -> np.ndarray:
    """Four labels in regions of all shapes, with holes and pixels that touch at corners only."""
    values = np.random.default_rng(seed).random(size).astype(np.float32)
    if blur > 1:
        values = cv2.GaussianBlur(values, (blur, blur), 0)
    return np.digitize(values, np.quantile(values, [0.3, 0.6, 0.8])).astype(np.uint8)


def regions_of(mask: np.ndarray) -> list[MaskRegion]:
    return list(MaskRegions(mask, range(1, 4)))


def whole(region: MaskRegion, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    height, width = region.inside.shape
    mask[region.top : region.top + height, region.left : region.left + width] = region.inside
    return mask


def painted(shape: object, size: tuple[int, ...]) -> np.ndarray:
    canvas = Canvas(size[0], size[1], 0)
    canvas.paint(shape, 1)
    return canvas.mask().astype(bool)


def test_a_square_with_a_hole_by_hand() -> None:
    inside = np.ones((3, 3), bool)
    inside[1, 1] = False
    outer, hole = trace(inside)
    assert outer.tolist() == [[0, 0], [3, 0], [3, 3], [0, 3]]
    assert sorted(hole.tolist()) == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_pixels_that_touch_at_a_corner_are_one_region() -> None:
    (ring,) = trace(np.array([[True, False], [False, True]]))
    assert ring.tolist().count([1, 1]) == 2
    assert len(trace(np.array([[True, False, True]]))) == 2


@pytest.mark.parametrize("blur", [1, 3, 7])
def test_without_tolerance_polygons_are_exact(blur: int) -> None:
    holes = 0
    for seed in range(8):
        mask = noise(seed, blur=blur)
        for region in regions_of(mask):
            holes += region.has_holes
            expected = whole(region, mask.shape)
            np.testing.assert_array_equal(painted([region.polygon(0).ravel().tolist()], mask.shape), expected)
            touched = {"outline": region.polygon(0, 0.25).ravel().tolist(), "holes": [], "filled_by": "Pillow"}
            np.testing.assert_array_equal(painted(touched, mask.shape), expected)
    assert holes > 10


@pytest.mark.parametrize("tolerance", [0.5, 1.0, 3.0])
def test_polygons_stay_within_the_tolerance(tolerance: float) -> None:
    corners = exact = 0
    for seed in range(4):
        mask = noise(seed, (80, 90), blur=15)
        for region in regions_of(mask):
            expected = whole(region, mask.shape)
            polygon = region.polygon(tolerance)
            corners, exact = corners + len(polygon), exact + len(region.polygon(0))
            wrong = painted([polygon.ravel().tolist()], mask.shape) != expected
            distance = to_border(expected)
            # The centre of a pixel may be half a pixel's diagonal nearer to the polygon than its corner.
            assert not wrong.any() or distance[wrong].max() <= tolerance + 0.71, (seed, region.label)
    assert corners < 0.9 * exact


def to_border(inside: np.ndarray) -> np.ndarray:
    """The distance of each pixel's centre from the nearest edge between inside and outside, in pixels, or less."""
    padded = np.pad(inside, 1).astype(np.uint8)
    both = [cv2.distanceTransform(part, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for part in (padded, 1 - padded)]
    return np.maximum(*both)[1:-1, 1:-1] - 0.5


def test_neighbours_share_their_border() -> None:
    ys, xs = np.mgrid[:90, :120]
    centres = np.random.default_rng(4).uniform(0, 100, (9, 2))
    mask = ((ys[..., None] - centres[:, 0]) ** 2 + (xs[..., None] - centres[:, 1]) ** 2).argmin(axis=2).astype(np.uint8)
    covered = np.zeros(mask.shape, int)
    for region in MaskRegions(mask, range(9)):
        polygon = region.polygon(1.0)
        assert len(polygon) < len(region.polygon(0)) / 3
        covered += painted([polygon.ravel().tolist()], mask.shape)
    assert (covered == 1).all()


@pytest.mark.parametrize(
    "inside",
    [np.ones((1, 1), bool), np.ones((1, 9), bool), np.ones((9, 1), bool), np.eye(9, dtype=bool), np.ones((2, 2), bool)],
    ids=["a pixel", "a row", "a column", "a diagonal", "a small square"],
)
@pytest.mark.parametrize("tolerance", [0.0, 1.0, 50.0])
def test_pixels_and_lines_do_not_vanish(inside: np.ndarray, tolerance: float) -> None:
    mask = np.pad(inside, 4).astype(np.uint8)
    (region,) = regions_of(mask)
    polygon = region.polygon(tolerance)
    assert len(polygon) >= 3
    found = painted([polygon.ravel().tolist()], mask.shape)
    assert np.count_nonzero(found & (mask == 1)) >= 0.7 * mask.sum()
    assert np.count_nonzero(found) <= 1.3 * mask.sum()


def test_the_end_of_a_thin_spike_is_kept() -> None:
    mask = np.zeros((30, 60), np.uint8)
    mask[5:25, 5:15] = 1
    mask[10, 15:55] = 1
    (region,) = regions_of(mask)
    assert region.polygon(1.0)[:, 0].max() == 55


def test_junctions_by_hand() -> None:
    assert junctions_of(np.array([[0, 1], [0, 0]], np.uint8)).astype(int).tolist() == [[1, 1, 1], [0, 0, 1], [1, 0, 1]]
    assert junctions_of(np.array([[0, 1], [2, 2]], np.uint8))[1].tolist() == [True, True, True]
    assert junctions_of(np.array([[0, 1], [1, 0]], np.uint8))[1, 1]
