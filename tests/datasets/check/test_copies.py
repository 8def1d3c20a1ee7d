"""Equal files and equal images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from otx_seg.datasets.check.copies import digest_of_pixels, equal_by, equal_files
from otx_seg.errors import DataError


def test_equal_files_differ_in_nothing(tmp_path: Path) -> None:
    long = bytes(100_000)
    contents = {"a": b"12", "b": b"13", "c": b"12", "d": b"123", "e": long, "f": long[:-1] + b"\1", "g": long}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    paths = [str(tmp_path / name) for name in [*contents, "a"]]
    groups = [[Path(path).name for path in group] for group in equal_files(paths)]
    assert groups == [["a", "c"], ["e", "g"]]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone: cannot be read"):
        equal_files([str(tmp_path / "gone")])


def test_equal_pixels_of_another_shape_are_another_image() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    assert digest_of_pixels(pixels) == digest_of_pixels(np.asfortranarray(pixels))
    assert digest_of_pixels(pixels) != digest_of_pixels(pixels.reshape(6, 4))
    assert digest_of_pixels(pixels) != digest_of_pixels(pixels + 1)


def test_groups_keep_the_order() -> None:
    assert equal_by([5, 2, 7, 4, 9], lambda number: number % 2) == [(5, 7, 9), (2, 4)]
    assert equal_by([5, 7], lambda number: number) == []
