"""Data written in every layout is recognised, and read as it was: images, labels, and masks to the pixel."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from data_layouts import NAMES, OF_ONE_LABEL, SUBSET_OF, UNDIVIDED, WRITERS, image, truth

from otx_seg.datasets import known_formats, open_folder, scan
from otx_seg.datasets.opening import looks_like


def name_of(path: str) -> str:
    """im0, im1 or im2."""
    found = re.search(r"im\d", path)
    assert found
    return found[0]


def state(root: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in root.rglob("*")}


def test_every_format_is_written_by_a_layout():
    assert {format_name for format_name, _ in WRITERS.values()} | OF_ONE_LABEL == set(known_formats())


def test_every_format_is_called_like_its_module_and_described():
    for name, known in known_formats().items():
        assert name in known.__class__.__module__
        assert known.title
        assert known.layout
        assert known.__class__.__doc__


@pytest.mark.parametrize("layout", WRITERS)
def test_round_trip(layout, written):
    root = written(layout)
    before = state(root)
    assert looks_like(root) == [WRITERS[layout][0]]
    subsets = open_folder(root)
    expected = {"default": 3} if layout in UNDIVIDED else {"train": 2, "val": 1}
    assert {name: len(subset) for name, subset in subsets.items()} == expected
    for name, subset in subsets.items():
        assert subset.labels.names == NAMES
        assert subset.labels.background == 0
        assert subset.unmatched == ()
        assert pickle.loads(pickle.dumps(subset)) == subset
        for sample in subset.samples:
            shown = name_of(sample.name)
            assert name in ("default", SUBSET_OF[shown])
            np.testing.assert_array_equal(subset.read_mask(sample), truth(shown))
            assert np.abs(subset.read_image(sample).astype(int) - image(shown)).max() <= 1  # JPEG
        report = scan(subset, threads=1)
        assert (report.images, report.broken) == (len(subset), ())
    assert state(root) == before


@pytest.mark.parametrize("layout", WRITERS)
def test_naming_the_format_gives_the_same(layout, written):
    root = written(layout)
    assert open_folder(root, WRITERS[layout][0]) == open_folder(root)
