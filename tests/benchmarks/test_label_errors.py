"""The faults that are put into masks are what they are called, and the same at each call."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from label_errors import KINDS, SHIFT, SMALLEST_REGION, among, faulty, put_faults

from otx_seg.datasets import Subset, open_folder
from otx_seg.datasets.synthetic.draw import draw_dataset


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``train`` with 24 images."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_dataset(folder, images=30, size=64, seed=2)
    return folder


@pytest.fixture(scope="module")
def subset(drawn: Path) -> Subset:
    return open_folder(drawn)["train"]


def pair(subset: Subset, kind: str, index: int = 3) -> tuple[np.ndarray, np.ndarray]:
    return subset.read_mask(subset.samples[index]), faulty(subset, index, kind, np.random.default_rng(5))


@pytest.mark.parametrize("kind", ["another label", "deleted region"])
def test_a_region_is_changed(subset: Subset, kind: str) -> None:
    before, after = pair(subset, kind)
    changed = before != after
    assert changed.sum() >= SMALLEST_REGION * before.size
    assert len(np.unique(before[changed])) == len(np.unique(after[changed])) == 1
    background = subset.labels.background
    assert before[changed][0] != background
    assert (after[changed][0] == background) == (kind == "deleted region")


def test_a_shift(subset: Subset) -> None:
    before, after = pair(subset, "shifted mask")
    inner = slice(SHIFT, -SHIFT)
    moves = [(SHIFT, 0), (-SHIFT, 0), (0, SHIFT), (0, -SHIFT)]
    assert any((np.roll(before, move, (0, 1)) == after)[inner, inner].all() for move in moves)
    assert (before != after).any()


def test_the_mask_of_another_image(subset: Subset) -> None:
    before, after = pair(subset, "mask of another image")
    assert (before != after).any()
    assert any((subset.read_mask(sample) == after).all() for sample in subset.samples)


def test_one_image_in_twenty_gets_a_fault(drawn: Path, tmp_path: Path) -> None:
    first, again, other = (put_faults(drawn, tmp_path / name, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert list(first) == list(again) != list(other)
    assert list(first.values()) == list(KINDS[: len(first)])
    masks = {name: open_folder(tmp_path / name)["default"] for name in "ab"}
    original = open_folder(drawn)["train"]
    for left, right, before in zip(masks["a"].samples, masks["b"].samples, original.samples, strict=True):
        after = masks["a"].read_mask(left)
        assert (after == masks["b"].read_mask(right)).all()
        assert (after != original.read_mask(before)).any() == (left.name in first)
    assert json.loads((tmp_path / "a.json").read_text()) == first


def test_places() -> None:
    ranks: dict[str, list[int | None]] = {"another label": [1, 30, None], "shifted mask": [20]}
    assert [among(ranks, first) for first in (20, 36)] == [2, 3]
