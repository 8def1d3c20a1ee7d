"""Pseudo-masks: what they show, where they are kept, and when they are made again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from otx_seg.datasets import open_unlabelled
from otx_seg.datasets.regions import Division, open_regions
from otx_seg.errors import DataError

DIVISION = Division(scale=100.0, min_size=20, longest_side=64)


def quarters(height: int, width: int) -> np.ndarray:
    """An image of four colours, one for each quarter."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, width // 2 :] = (250, 0, 0)
    image[height // 2 :, : width // 2] = (0, 250, 0)
    image[height // 2 :, width // 2 :] = (0, 0, 250)
    return image


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    (folder / "deeper").mkdir(parents=True)
    cv2.imwrite(str(folder / "a.png"), quarters(40, 60))
    cv2.imwrite(str(folder / "b.png"), quarters(300, 200))
    cv2.imwrite(str(folder / "deeper" / "a.png"), np.full((30, 30), 90, np.uint8))
    return folder


def files(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_regions_are_those_of_one_colour() -> None:
    regions = DIVISION.regions(quarters(40, 60))
    assert regions.dtype == np.uint8
    assert regions.shape == (40, 60)
    for rows in (slice(2, 18), slice(22, 38)):
        for columns in (slice(2, 28), slice(32, 58)):
            assert len(np.unique(regions[rows, columns])) == 1
    assert set(regions[[2, 2, 38, 38], [2, 58, 2, 58]]) == {0, 1, 2, 3}


def test_large_images_are_divided_at_the_size_asked_for() -> None:
    # At 20 x 20 pixels no region of two colours can be cut from 300: there is room for one such region only.
    image = quarters(400, 400)
    assert len(np.unique(Division(100.0, 300, 400).regions(image))) >= 4
    assert len(np.unique(Division(100.0, 300, 20).regions(image))) == 1


def test_the_numbers_that_a_mask_has_no_room_for_belong_to_the_smallest_regions() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    regions = Division(1e-3, 1, 64).regions(noise)
    counts = np.bincount(regions.ravel(), minlength=256)
    assert counts[254] == 0
    assert counts[255] > 0
    assert (np.diff(counts[:254]) <= 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3, 2)])
def test_tiny_images(shape: tuple[int, int]) -> None:
    assert DIVISION.regions(np.zeros((*shape, 3), np.uint8)).shape == shape


def test_every_image_gets_its_mask_once(images: Path, tmp_path: Path) -> None:
    masks, found, done = tmp_path / "masks", open_unlabelled(images), []
    subset, made = open_regions(found, masks, DIVISION, 2, done.append)
    assert made == 3
    assert done == [1, 2, 3]
    assert [sample.name for sample in subset.samples] == ["a.png", "b.png", "deeper/a.png"]
    for sample in subset.samples:
        image = subset.read_image(sample)
        assert np.array_equal(subset.read_mask(sample), DIVISION.regions(image))
    before = files(masks)
    assert sorted(path.name for path in images.rglob("*.png")) == ["a.png", "a.png", "b.png"]
    again, made = open_regions(found, masks, DIVISION, 0)
    assert (again, made) == (subset, 0)
    assert files(masks) == before


def test_masks_of_other_images_or_made_otherwise_are_not_used(images: Path, tmp_path: Path) -> None:
    masks, other = tmp_path / "masks", tmp_path / "other"
    open_regions(open_unlabelled(images), masks, DIVISION)
    shutil.copytree(images, other)
    cv2.imwrite(str(other / "a.png"), quarters(40, 62))  # of the same name, size of file and so on
    subset, made = open_regions(open_unlabelled(other), masks, DIVISION)
    assert made == 1
    assert subset.read_mask(subset.samples[0]).shape == (40, 62)
    assert open_regions(open_unlabelled(images), masks, replace(DIVISION, scale=200.0))[1] == 3


def test_an_unreadable_image_is_named(images: Path, tmp_path: Path) -> None:
    (images / "b.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"b\.png"):
        open_regions(open_unlabelled(images), tmp_path / "masks", DIVISION)
