"""Images and masks in the same folders: which is which, and what has no partner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data_layouts import bare, put, side_by_side, truth

from otx_seg.datasets import open_folder
from otx_seg.datasets.opening import looks_like
from otx_seg.errors import DataError


def test_files_without_partner_are_told(tmp_path: Path) -> None:
    side_by_side(tmp_path, ".")
    put(tmp_path / "alone.png", np.zeros((4, 4, 3), np.uint8))
    put(tmp_path / "lost_mask.png", np.zeros((4, 4), np.uint8))
    (subset,) = open_folder(tmp_path).values()
    assert len(subset) == 3
    assert [(item.name, item.reason) for item in subset.unmatched] == [
        ("alone.png", "image without mask"),
        ("lost_mask.png", "mask without image"),
    ]


def test_files_of_no_subset_are_told(tmp_path: Path) -> None:
    side_by_side(tmp_path, "{}")
    side_by_side(tmp_path, "more")
    put(tmp_path / "alone.png", np.zeros((4, 4, 3), np.uint8))
    subsets = open_folder(tmp_path)
    assert list(subsets) == ["train", "val"]
    told = " ".join(map(str, subsets["train"].unmatched))
    assert "6 images of no subset" in told
    assert "alone.png" in told
    assert subsets["val"].unmatched == ()


def test_labels_are_those_found_where_none_are_listed(tmp_path: Path) -> None:
    side_by_side(tmp_path, "{}")
    (tmp_path / "labels.txt").unlink()
    put(tmp_path / "val" / "im2_mask.png", truth("im2") * 2)
    subsets = open_folder(tmp_path)
    assert {subset.labels.names for subset in subsets.values()} == {("label_0", "label_1", "label_2", "label_4")}


def test_images_alone_are_none(tmp_path: Path) -> None:
    for name in ("a", "b", "mask", "_mask"):
        put(tmp_path / f"{name}.png", np.zeros((4, 4, 3), np.uint8))
    assert looks_like(tmp_path) == []


def test_folders_of_images_and_masks_come_first(tmp_path: Path) -> None:
    bare(tmp_path)
    side_by_side(tmp_path, "a")
    assert looks_like(tmp_path) == ["image_and_mask_folders"]


def test_two_subsets_of_one_name(tmp_path: Path) -> None:
    side_by_side(tmp_path, "{}")
    (tmp_path / "valid").mkdir()
    with pytest.raises(DataError, match="both are the subset val"):
        open_folder(tmp_path)
