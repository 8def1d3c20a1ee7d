import numpy as np
import pytest

from otx_seg.annotations.bitmaps import brush_code, brush_pixels
from otx_seg.annotations.canvas import Canvas
from otx_seg.annotations.mask_regions import MaskRegions

MASK = np.array([[1, 1, 0, 2], [1, 0, 2, 0], [0, 0, 0, 2], [2, 2, 2, 2]], np.uint8)


def test_regions_by_hand() -> None:
    found = [(region.label, region.box, region.pixels) for region in MaskRegions(MASK, (1, 2))]
    assert found == [(2, (0, 0, 4, 4), 7), (1, (0, 0, 2, 2), 3)]
    assert [(region.label, region.pixels) for region in MaskRegions(MASK, (0, 1))] == [(0, 6), (1, 3)]


def test_uncertain_regions_are_left_out() -> None:
    mask = np.array([[1, 1, 0, 1, 0, 2]], np.uint8)
    confidence = np.array([[0.5, 0.7, 0.1, 0.55, 0.1, 0.9]], np.float32)
    found = MaskRegions(mask, (1, 2), confidence, 0.59)
    assert [(region.label, region.left) for region in found] == [(1, 0), (2, 5)]
    assert (len(found), found.left_out) == (2, 1)


@pytest.mark.parametrize("seed", range(5))
def test_run_lengths_are_exact(seed: int) -> None:
    mask = np.random.default_rng(seed).integers(0, 3, (9, 7)).astype(np.uint8)
    expected = np.zeros(mask.shape, np.uint8)
    columns, boxes = Canvas(9, 7, 0), Canvas(9, 7, 0)
    for region in MaskRegions(mask, (1, 2)):
        columns.paint({"counts": region.runs_in_columns((9, 7)).tolist(), "size": [9, 7]}, region.label)
        boxes.paint({"counts": region.runs_in_box().tolist(), "box": list(region.box)}, region.label)
        expected[brush_pixels(brush_code(region.runs_in_rows((9, 7))), (9, 7))] = region.label
    for found in (columns.mask(), boxes.mask(), expected):
        np.testing.assert_array_equal(found, mask)


def test_runs_that_reach_over_the_ends_of_rows_are_one() -> None:
    (region,) = MaskRegions(np.ones((3, 4), np.uint8), (1,))
    assert region.runs_in_columns((3, 4)).tolist() == [0, 12]
    assert region.runs_in_rows((3, 4)).tolist() == [0, 12]


def test_a_brush_code_of_a_large_image() -> None:
    mask = np.zeros((300, 400), np.uint8)
    mask[20:290, 30:] = 1
    (region,) = MaskRegions(mask, (1,))
    np.testing.assert_array_equal(brush_pixels(brush_code(region.runs_in_rows((300, 400))), (300, 400)), mask == 1)
