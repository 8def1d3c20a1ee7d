import numpy as np
from numpy.testing import assert_array_equal

from otx_seg.inference.heat_map import SCALE, heat_map

BLUE, GREEN, RED = [0, 0, 128], [130, 255, 126], [128, 0, 0]  # OpenCV's table of 256 colours: its ends and its middle


def test_from_the_lowest_to_the_highest_value() -> None:
    assert heat_map(np.float32([[-3.0, 1.016, 5.0]]), (1, 3), (-3, 5)).tolist() == [[BLUE, GREEN, RED]]
    assert [SCALE[level].tolist() for level in (0, 128, 255)] == [BLUE, GREEN, RED]


def test_beyond_the_limits() -> None:
    values = np.float32([[0.0, 128 / 255, 1.0, 7.0, -7.0]])
    assert heat_map(values, (1, 5), (0, 1)).tolist() == [[BLUE, GREEN, RED, RED, BLUE]]


def test_all_alike_is_blue() -> None:
    assert heat_map(np.full((2, 2), 3.0, np.float32), (1, 1), (3, 3)).tolist() == [[BLUE]]


def test_enlarged_bilinearly() -> None:
    found = heat_map(np.float32([[0.0, 1.0]]), (3, 8), (0, 1))
    assert found.shape == (3, 8, 3)
    assert found.dtype == np.uint8
    assert_array_equal(found, np.repeat(found[:1], 3, axis=0))
    # Half-pixel centres: new pixels lie at -0.375, -0.125, 0.125 ... 1.375 of the old ones, whose range is 0 to 1.
    levels = [round(255 * share) for share in (0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1)]
    assert_array_equal(found[0], heat_map(np.float32([levels]), (1, 8), (0, 255))[0])
