import math
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from numpy.typing import NDArray

from otx_seg.datasets import open_folder
from otx_seg.datasets.ceiling import ceilings, perfect_mask
from otx_seg.datasets.scan import scan


def _stripes(width: int) -> NDArray[np.uint8]:
    """64x64 with a vertical line of label 1 whose left edge is at column 16."""
    mask = np.zeros((64, 64), np.uint8)
    mask[:, 16 : 16 + width] = 1
    return mask


@pytest.mark.parametrize(("width", "found"), [(8, 8), (4, 0), (3, 0), (16, 16)])
def test_a_line_is_found_if_it_fills_more_than_half_of_a_cell(width: int, found: int) -> None:
    # Cells of 8 pixels: a line of 4 has a share of 0.5 in the middle of its cell, which the background keeps.
    answer = perfect_mask(_stripes(width), (8, 8))
    assert int((answer == 1).sum()) == found * 64


def test_pixels_without_a_label_have_no_share() -> None:
    mask = np.full((16, 16), 255, np.uint8)
    mask[4:6, 4:6] = 2
    assert set(np.unique(perfect_mask(mask, (2, 2)))) == {0, 2}


def test_the_output_is_never_finer_than_the_mask() -> None:
    mask = np.random.default_rng(0).integers(0, 3, (10, 14)).astype(np.uint8)
    assert np.array_equal(perfect_mask(mask, (64, 64)), mask)


def test_of_a_subset(drawn_data: Path) -> None:
    (subset,) = open_folder(drawn_data / "train").values()
    report = scan(subset)
    coarse, fine, exact = ceilings(subset, report, subset.samples, [(4, 4), (16, 16), (64, 64)])
    (names,) = {tuple(dice) for dice in (coarse, fine, exact)}
    assert set(names) <= set(subset.labels.names)
    assert fmean(coarse.values()) < fmean(fine.values()) < fmean(exact.values())
    assert all(math.isclose(dice, 1.0) for dice in exact.values())
    few = replace(subset, samples=subset.samples[:2])
    assert set(ceilings(few, scan(few), few.samples, [(64, 64)])[0].values()) == {1.0}
