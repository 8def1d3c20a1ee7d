"""The files that results are kept in."""

from __future__ import annotations

import numpy as np

from otx_seg.runtime.result_files import shrunk


def test_large_pictures_are_shrunk() -> None:
    assert shrunk(np.zeros((1000, 500, 3), np.uint8), 360).shape == (360, 180, 3)
    assert shrunk(np.zeros((1, 5000), np.uint8), 360).shape == (1, 360)
    assert shrunk(np.zeros((20, 30, 3), np.uint8), 360).shape == (20, 30, 3)
