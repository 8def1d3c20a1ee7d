"""Expected masks are drawn by hand: . background, digits labels, x ignored."""

import numpy as np
import pytest

from otx_seg.annotations.polygon_round_trip import polygon_round_trip
from otx_seg.labels import Labels, default_colors

LABELS = Labels(("background", "a", "b"), default_colors(3), background=0)
NO_BACKGROUND = Labels(("a", "b", "c"), default_colors(3), background=None)


def mask(*rows):
    return np.array(
        [[255 if pixel == "x" else int(pixel.replace(".", "0")) for pixel in row] for row in rows], np.uint8
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param([".....", ".111.", ".111.", "....."], [".....", ".111.", ".111.", "....."], id="solid"),
        pytest.param(["11111", "1...1", "1.1.1", "1...1", "11111"], ["11111"] * 5, id="holes are filled"),
        pytest.param(["11111", "12221", "12221", "11111"], ["11111", "12221", "12221", "11111"], id="labels in holes"),
        pytest.param(["22222", "21112", "21112", "22222"], ["22222"] * 4, id="a later label covers an earlier one"),
        pytest.param(["1....", "....1", ".11..", "....."], ["....."] * 4, id="points and short lines vanish"),
        pytest.param(["1....", "1....", "1...."], ["....."] * 3, id="lines have no area"),
        pytest.param(["11..", "11.."], ["11..", "11.."], id="two by two pixels have an area of one"),
        pytest.param(["11xx", "11xx", "xx.."], ["11xx", "11xx", "xx.."], id="ignored stays ignored"),
        pytest.param(["11.22", "11.22", "11111"], ["11.22", "11.22", "11111"], id="two labels"),
    ],
)  # fmt: skip
def test_small_masks(before, after):
    given = mask(*before)
    kept = given.copy()
    result = polygon_round_trip(given, LABELS)
    np.testing.assert_array_equal(result, mask(*after))
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(given, kept)


def test_without_background_label_what_no_polygon_covers_is_ignored():
    result = polygon_round_trip(mask("0002", "0001", "0001"), NO_BACKGROUND)
    np.testing.assert_array_equal(result, mask("000x", "000x", "000x"))


def test_nothing_but_background():
    np.testing.assert_array_equal(polygon_round_trip(mask("...", "..."), LABELS), mask("...", "..."))


def test_masks_without_holes_and_thin_parts_come_back_unchanged():
    yy, xx = np.mgrid[:100, :120]
    discs = ((yy - 50) ** 2 + (xx - 40) ** 2 < 900).astype(np.uint8)
    discs[(yy - 60) ** 2 + (xx - 90) ** 2 < 400] = 2
    np.testing.assert_array_equal(polygon_round_trip(discs, LABELS), discs)
