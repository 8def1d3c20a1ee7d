"""Colours that people tell apart."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from otx_seg.labels import Labels, default_colors
from otx_seg.palette import MOST, distinct, palette


def lab_of_tint(color: tuple[int, int, int]) -> np.ndarray:
    """CIE L*a*b* (D65) of a colour mixed evenly with medium grey: another measure than that of the palette."""
    share = (0.5 * np.array(color) + 64) / 255
    light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    xyz = light @ np.array(to_xyz).T / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def least_difference(colors: tuple[tuple[int, int, int], ...]) -> float:
    labs = [lab_of_tint(color) for color in colors]
    return min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(labs, 2))


def test_no_two_colours_are_equal_and_the_first_is_black() -> None:
    assert palette()[0] == (0, 0, 0)
    assert len(palette()) == len(set(palette())) == MOST
    assert {type(value) for color in palette() for value in color} == {int}


@pytest.mark.parametrize(("count", "difference"), [(12, 9.0), (20, 7.0), (40, 5.0)])
def test_tints_of_labels_differ_visibly(count: int, difference: float) -> None:
    """A difference of 2.3 is just noticeable (Mahy et al. 1994)."""
    assert least_difference(default_colors(count)) > difference


def test_the_map_of_pascal_voc_has_labels_that_look_alike() -> None:
    sky, car, tree = (128, 0, 0), (192, 0, 0), (0, 128, 0)
    shown = Labels(("background", "sky", "tree", "car"), ((0, 0, 0), sky, tree, car), 0).shown_colors
    assert shown[:3] == ((0, 0, 0), sky, tree)
    assert shown[3] != car
    assert least_difference(shown) > 2 * least_difference(((0, 0, 0), sky, tree, car))


def test_colours_that_differ_stay() -> None:
    colors = ((10, 20, 30), (250, 170, 30), (0, 200, 10))
    assert distinct(colors) == colors


def test_equal_colours_are_told_apart() -> None:
    shown = distinct(((0, 0, 0),) * 30)
    assert shown[0] == (0, 0, 0)
    assert len(set(shown)) == 30
    assert least_difference(shown) > 5


def test_the_order_of_other_labels_does_not_matter_for_those_that_stay() -> None:
    red, dark_red, blue = (192, 0, 0), (170, 0, 0), (0, 0, 200)
    assert distinct((red, dark_red, blue))[2] == blue
    assert distinct((red, blue, dark_red))[:2] == (red, blue)


def test_as_many_labels_as_a_mask_has_values_for() -> None:
    assert len(set(distinct(tuple((index, 0, 0) for index in range(255))))) == 255
