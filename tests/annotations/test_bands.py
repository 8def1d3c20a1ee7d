"""Counting in bands of rows gives what counting at once gives, in a small part of the memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from otx_seg.annotations.bands import bands, count_values
from otx_seg.annotations.values_found import find_labels
from otx_seg.datasets.scan import mean_extents


def peak(work: Callable[[], object]) -> int:
    """Bytes that Python and NumPy held at most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture
def mask() -> np.ndarray:
    """3000 x 2000 pixels, 6 MB."""
    return np.random.default_rng(1).integers(0, 4, (300, 200), np.uint8).repeat(10, axis=0).repeat(10, axis=1)


def test_bands_are_all_of_it(mask: np.ndarray) -> None:
    found = list(bands(mask))
    assert len(found) > 2
    np.testing.assert_array_equal(np.concatenate(found), mask)
    assert [band.shape for band in bands(np.zeros((2, 3_000_000), np.uint8))] == [(1, 3_000_000)] * 2


def test_values_are_counted(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(count_values(mask), np.bincount(mask.reshape(-1), minlength=256))
    assert peak(lambda: count_values(mask)) < 2 * mask.size


def test_extents_are_those_of_the_whole(mask: np.ndarray) -> None:
    there = (mask == 2).astype(np.int8)
    runs = sum(np.count_nonzero(np.diff(there, axis=axis, prepend=0) == 1) for axis in (0, 1))
    expected = 2 * np.count_nonzero(there) / runs
    assert mean_extents(mask, 4)[2] == pytest.approx(expected)
    assert peak(lambda: mean_extents(mask, 4)) < 2 * mask.size


def test_colours_are_found(mask: np.ndarray, tmp_path: Path) -> None:
    painted = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)], np.uint8)[mask]
    cv2.imwrite(str(tmp_path / "a.png"), painted[:, :, ::-1])
    painted[-1, -1] = (1, 2, 3)
    cv2.imwrite(str(tmp_path / "b.png"), painted[:, :, ::-1])
    files = [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    assert find_labels(tmp_path, files)[0].names == (
        "color_000000",
        "color_0000ff",
        "color_00ff00",
        "color_010203",
        "color_ff0000",
    )
    assert peak(lambda: find_labels(tmp_path, files[:1])) < 2.5 * painted.size  # OpenCV's own memory does not count
