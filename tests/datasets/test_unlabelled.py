"""Images without masks: found, checked, and kept apart from the labelled ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from otx_seg.datasets import check_images, holds_bare_images, leave_out_copies, open_unlabelled
from otx_seg.errors import DataError
from otx_seg.runtime.images import read_image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images, one in a folder below, and a text file."""
    root = tmp_path / "unlabelled"
    (root / "more").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.JPG", "more/c.png")):
        cv2.imwrite(str(root / name), np.full((20 + number, 30, 3), 50 * number, np.uint8))
    (root / "notes.txt").write_text("no image")
    return root


def names(folder: Path, *arguments: Path) -> list[str]:
    images = open_unlabelled(folder, *arguments)
    return [images.name(index) for index in range(len(images))]


def test_all_images_of_a_folder(folder: Path) -> None:
    assert names(folder) == ["a.png", "b.JPG", "more/c.png"]
    assert open_unlabelled(folder).read_image(2).shape == (22, 30, 3)


def test_a_folder_called_images_is_looked_into(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder, tmp_path / "set" / "images")
    assert names(tmp_path / "set") == ["a.png", "b.JPG", "more/c.png"]


def test_a_list_chooses(folder: Path, tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("more/c.png\n\na.png\na.png\n")
    assert names(folder, listed) == ["a.png", "more/c.png"]
    listed.write_text("a.png\nz.png\n")
    with pytest.raises(DataError, match=r"list.txt: names 'z.png', which is no image in"):
        open_unlabelled(folder, listed)
    with pytest.raises(DataError, match=r"missing.txt: cannot be read"):
        open_unlabelled(folder, tmp_path / "missing.txt")
    listed.write_text("\n")
    with pytest.raises(DataError, match="no images without masks"):
        open_unlabelled(folder, listed)


@pytest.mark.parametrize(
    "text", ["\ufeffa.png\nmore/c.png\n", "a.png\r\nmore\\c.png\r\n", "C:\\my\\unlabelled\\more\\c.png\n/x/a.png"]
)
def test_a_list_made_on_another_machine(folder: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "list.txt").write_text(text, encoding="utf-8")
    assert names(folder, tmp_path / "list.txt") == ["a.png", "more/c.png"]


def test_a_path_in_a_folder_is_no_other_file_of_its_name(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("left/a.png\n")
    with pytest.raises(DataError, match=r"names 'left/a\.png', which is no image in"):
        open_unlabelled(folder, tmp_path / "list.txt")


def test_a_missing_or_empty_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        open_unlabelled(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no images in this folder"):
        open_unlabelled(tmp_path / "empty")


def test_broken_images_are_left_out_and_listed(folder: Path) -> None:
    (folder / "a.png").write_bytes(b"text")
    counted: list[int] = []
    kept, damages, sizes = check_images(open_unlabelled(folder), counted.append)
    assert sum(images for _, images in sizes) == 2
    assert sizes[0][0] == read_image(kept.paths[0]).shape[:2]
    assert [Path(path).name for path in kept.paths] == ["b.JPG", "c.png"]
    assert len(damages) == 1
    assert "a.png: not an image" in damages[0]
    assert counted == [1, 2, 3]
    for name in ("b.JPG", "more/c.png"):
        (folder / name).write_bytes(b"text")
    with pytest.raises(DataError, match=r"none of the 3 images can be used; first: .*a\.png"):
        check_images(open_unlabelled(folder))


def test_copies_of_labelled_images_are_left_out(folder: Path, tmp_path: Path) -> None:
    labelled = tmp_path / "other name.png"
    shutil.copy(folder / "a.png", labelled)
    cv2.imwrite(str(tmp_path / "different.png"), np.zeros((9, 9, 3), np.uint8))
    kept, copies = leave_out_copies(open_unlabelled(folder), [str(labelled), str(tmp_path / "different.png")])
    assert [Path(path).name for path in copies] == ["a.png"]
    assert [Path(path).name for path in kept.paths] == ["b.JPG", "c.png"]
    with pytest.raises(DataError, match="each of its 3 images is also labelled"):
        leave_out_copies(open_unlabelled(folder), [str(folder / name) for name in ("a.png", "b.JPG", "more/c.png")])


def test_of_a_data_set_only_the_training_images(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "set"
    for subset in ("training", "val"):
        shutil.copytree(folder, root / subset / "images")
        shutil.copytree(folder, root / subset / "masks")
    assert open_unlabelled(root).root == root / "training" / "images"
    shutil.rmtree(root / "training")
    assert open_unlabelled(root).root == root / "val" / "images"
    shutil.copytree(root / "val", root / "more")
    with pytest.raises(DataError, match=r"which images to train on\? Found more, val"):
        open_unlabelled(root)


def test_masks_are_no_images(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "set"
    shutil.copytree(folder, root / "JPEGImages")
    shutil.copytree(folder, root / "SegmentationClass")
    with pytest.raises(DataError, match=r"SegmentationClass.* looks like a mask"):
        open_unlabelled(root)


@pytest.mark.parametrize(
    ("files", "bare"),
    [
        (("images/a.jpg", "images/b/c.jpg"), True),
        (("images/a.jpg", "images/a.json"), False),
        (("images/a.jpg", "images/a.png"), False),
        (("images/b/a.jpg", "images/b/a_mask.png"), False),
        (("images/a.jpg", "labels.txt"), False),
        (("images/a.jpg", "more/b.jpg"), False),
        (("a.jpg", "b.jpg"), True),
        (("a.jpg", "a.json"), False),
        (("images/a.jpg", "masks.zip"), False),
        (("a.jpg", "a_1stHO.png"), False),
        (("a.jpg", "a_2.jpg"), True),
    ],
)
def test_what_lies_beside_images_may_label_them(files: tuple[str, ...], bare: bool, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert holds_bare_images(tmp_path) == bare
