"""The drawn data set: layout, sameness by seed, and that it is neither empty nor too easy."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from otx_seg.datasets import open_folder
from otx_seg.datasets.synthetic.draw import NAMES, draw_dataset, draw_scene
from otx_seg.errors import UsageError


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    draw_dataset(folder, 10, 64, 3)
    return folder


def test_it_opens_as_two_subsets_with_the_labels(drawn: Path) -> None:
    subsets = open_folder(drawn)
    assert {name: len(subset) for name, subset in subsets.items()} == {"train": 8, "val": 2}
    for subset in subsets.values():
        assert subset.labels.names == NAMES
        assert subset.labels.background == 0
        assert subset.unmatched == ()
        for sample in subset.samples:
            assert subset.read_image(sample).shape == (64, 64, 3)
            assert subset.read_mask(sample).max() < len(NAMES)


def test_no_image_is_in_both_subsets(drawn: Path) -> None:
    names = [path.name for path in sorted(drawn.glob("*/images/*.jpg"))]
    assert sorted(names) == [f"{index:04}.jpg" for index in range(10)]


def test_the_same_seed_draws_the_same_files(drawn: Path, tmp_path: Path) -> None:
    counted: list[int] = []
    draw_dataset(tmp_path / "again", 10, 64, 3, counted.append)
    draw_dataset(tmp_path / "other", 10, 64, 4)
    assert counted == list(range(1, 11))
    for path in sorted(drawn.glob("*/*/*")):
        place = path.relative_to(drawn)
        assert path.read_bytes() == (tmp_path / "again" / place).read_bytes()
        assert path.read_bytes() != (tmp_path / "other" / place).read_bytes()


def test_every_part_occurs_at_a_size_that_can_be_learnt() -> None:
    masks = [draw_scene(256, np.random.default_rng((0, index)))[1] for index in range(40)]
    share = np.bincount(np.concatenate([mask.ravel() for mask in masks]), minlength=len(NAMES)) / (40 * 256 * 256)
    assert share[0] < 0.85
    assert (share[1:] > 0.02).all()
    assert all(mask.any() for mask in masks)


def test_the_mask_follows_the_drawing() -> None:
    image, mask = draw_scene(128, np.random.default_rng(1))
    assert image.dtype == mask.dtype == np.uint8
    # Where the label changes, the brightness changes more than elsewhere.
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(int)
    steps = np.abs(np.diff(grey, axis=1))
    edges = np.diff(mask.astype(int), axis=1) != 0
    assert steps[edges].mean() > 2 * steps[~edges].mean()


def test_paints_differ_between_parts_and_the_ground_is_dull() -> None:
    hues: dict[int, list[float]] = {}
    saturations: dict[int, list[float]] = {}
    for index in range(60):
        image, mask = draw_scene(64, np.random.default_rng((1, index)))
        hue, saturation, _ = (plane.astype(float) for plane in cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2HSV)))
        for label in np.unique(mask):
            hues.setdefault(int(label), []).append(2 * float(np.median(hue[mask == label])))
            saturations.setdefault(int(label), []).append(float(saturation[mask == label].mean()))
    typical = [np.median(hues[label]) for label in range(1, len(NAMES))]
    distances = [abs((a - b + 180) % 360 - 180) for index, a in enumerate(typical) for b in typical[:index]]
    assert min(distances) > 40
    assert np.mean(saturations[0]) < 0.5 * min(np.mean(saturations[label]) for label in range(1, len(NAMES)))


def test_brightness_says_little_about_the_part() -> None:
    means: dict[int, list[float]] = {}
    for index in range(60):
        image, mask = draw_scene(64, np.random.default_rng((1, index)))
        for label in np.unique(mask[mask > 0]):
            means.setdefault(int(label), []).append(float(image[mask == label].mean()))
    averages = [np.mean(values) for values in means.values()]
    spreads = [np.std(values) for values in means.values()]
    assert np.ptp(averages) < 1.5 * min(spreads)


@pytest.mark.parametrize(("images", "size"), [(4, 64), (10, 16), (10, 5000)])
def test_numbers_out_of_range_are_refused(tmp_path: Path, images: int, size: int) -> None:
    with pytest.raises(UsageError, match=r"images=4|size=16|size=5000"):
        draw_dataset(tmp_path / "new", images, size, 0)
    assert not (tmp_path / "new").exists()
