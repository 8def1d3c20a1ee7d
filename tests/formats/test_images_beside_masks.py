"""Images and masks in the same folders: which is which, and what has no partner."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from data_layouts import bare, put, side_by_side, truth

from otx_seg.datasets import open_folder
from otx_seg.datasets.opening import looks_like
from otx_seg.datasets.unlabelled import open_unlabelled
from otx_seg.errors import DataError
from otx_seg.formats.layouts.mask_names import MASK_ENDINGS
from otx_seg.training.setup.train_type import choose_train_type


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
    assert told == "1 file of no subset: ../alone.png 6 files of no subset: ../more"
    assert subsets["val"].unmatched == ()


def test_parts_of_no_training_are_not_trained_on(tmp_path: Path) -> None:
    side_by_side(tmp_path, "patient 1")
    side_by_side(tmp_path, "Testing")
    assert {name: len(subset) for name, subset in open_folder(tmp_path).items()} == {"default": 3, "test": 3}
    shutil.rmtree(tmp_path / "patient 1")
    assert {name: len(subset) for name, subset in open_folder(tmp_path).items()} == {"test": 3}


@pytest.mark.parametrize("listed", [True, False])
def test_a_part_without_masks_is_no_subset(tmp_path: Path, listed: bool) -> None:
    side_by_side(tmp_path, "{}")
    put(tmp_path / "test" / "unknown.png", np.zeros((4, 4, 3), np.uint8))
    if not listed:
        (tmp_path / "labels.txt").unlink()
    subsets = open_folder(tmp_path)
    assert list(subsets) == ["train", "val"]
    assert [*map(str, subsets["train"].unmatched)] == ["1 file of no subset: ../test"]


def test_images_may_be_called_like_masks(tmp_path: Path) -> None:
    for name in ("a", "a_mask", "b", "b_mask", "face_mask", "face_mask_mask"):
        put(tmp_path / f"{name}.png", np.eye(4, dtype=np.uint8))
    (subset,) = open_folder(tmp_path).values()
    assert [sample.name for sample in subset.samples] == ["a.png", "b.png", "face_mask.png"]
    assert subset.unmatched == ()


@pytest.mark.parametrize("ending", MASK_ENDINGS)
def test_no_ending_of_masks_is_taken_for_that_of_images(tmp_path: Path, ending: str) -> None:
    side_by_side(tmp_path, ".", ending)
    (tmp_path / "labels.txt").unlink()
    assert looks_like(tmp_path) == ["images_beside_masks"]
    assert choose_train_type(None, tmp_path, val=False, unlabelled=False)[0] == "Incremental"
    with pytest.raises(DataError, match="looks like a mask"):
        open_unlabelled(tmp_path)


def test_hidden_and_empty_folders_hide_nothing(tmp_path: Path) -> None:
    (tmp_path / ".git" / "objects").mkdir(parents=True)
    (tmp_path / "a" / ".cache").mkdir(parents=True)
    side_by_side(tmp_path, "scans/patient 1")
    assert looks_like(tmp_path) == ["images_beside_masks"]


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
