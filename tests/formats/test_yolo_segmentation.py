"""YOLO's outlines: where they may lie, what is painted, and what they may not be."""

from __future__ import annotations

import logging
import shutil
import time

import numpy as np
import pytest
import yaml
from data_layouts import HEIGHT, NAMES, SUBSET_OF, WIDTH, put, truth, yolo

from otx_seg.datasets import open_folder, scan
from otx_seg.datasets.opening import looks_like
from otx_seg.datasets.unlabelled import holds_bare_images
from otx_seg.errors import DataError


def one_image(root, lines, description="names: [cat, dog]\n", size=(10, 20)):
    put(root / "images/a.png", np.zeros((*size, 3), np.uint8))
    (root / "labels").mkdir()
    (root / "labels/a.txt").write_text(lines)
    if description is not None:
        (root / "data.yaml").write_text(description)
    return root


def mask_of(root):
    (subset,) = open_folder(root).values()
    return subset.read_mask(subset.samples[0])


LEFT = "0 0 0 0.5 0 0.5 1 0 1"


def test_shares_become_pixels_and_the_larger_object_lies_below(tmp_path):
    small = "1 0.1 0.2 0.3 0.2 0.3 0.6 0.1 0.6"
    mask = mask_of(one_image(tmp_path, f"{small}\n\n{LEFT}\n"))
    expected = np.zeros((10, 20), np.uint8)
    expected[:, :10] = 1
    expected[2:6, 2:6] = 2
    np.testing.assert_array_equal(mask, expected)


def test_images_without_text_or_with_an_empty_one_are_background(tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="otx_seg")
    root = one_image(tmp_path, LEFT)
    for name in ("b", "c"):
        put(root / f"images/{name}.png", np.zeros((10, 20, 3), np.uint8))
    (root / "labels/b.txt").touch()
    (root / "labels/z.txt").touch()
    (subset,) = open_folder(root).values()
    assert [subset.read_mask(sample).max() for sample in subset.samples] == [1, 0, 0]
    assert [str(each) for each in subset.unmatched] == ["text file without image: labels/z.txt"]
    assert "1 image of the subset default without a text file: all of it is background" in caplog.text


def test_a_description_of_another_name(tmp_path):
    root = one_image(tmp_path, LEFT)
    (root / "data.yaml").rename(root / "my-seg.yaml")
    (root / "a.yaml").write_text("author: me\n")
    (subset,) = open_folder(root).values()
    assert subset.labels.names == ("background", "cat", "dog")


def test_texts_that_are_all_empty(tmp_path):
    yolo(tmp_path, "images/{}")
    for path in tmp_path.glob("labels/*/*.txt"):
        path.write_text("")
    assert looks_like(tmp_path) == ["yolo_segmentation"]
    assert [subset.read_mask(subset.samples[0]).max() for subset in open_folder(tmp_path).values()] == [0, 0]


@pytest.mark.parametrize("line", ["inf 1 1 1 1", "nan 1 1 1 1", "1e400 1 1 1 1"])
def test_texts_of_something_else(tmp_path, line):
    one_image(tmp_path, line, None)
    assert "yolo_segmentation" not in looks_like(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("train", r"C:\me\set\train\images"), ("train", "../train/images"), ("train", "/train/images"), ("path", None)],
)
def test_paths_of_another_machine(tmp_path, key, value):
    yolo(tmp_path, "{}/images")
    described = yaml.safe_load((tmp_path / "data.yaml").read_text())
    (tmp_path / "data.yaml").write_text(yaml.safe_dump({**described, key: value, "test": "nowhere/test"}))
    assert {name: len(subset) for name, subset in open_folder(tmp_path).items()} == {"train": 2, "val": 1}


def test_subsets_where_the_description_says(tmp_path):
    yolo(tmp_path, "images/{}")
    for folder in ("images", "labels"):
        (tmp_path / folder / "train").rename(tmp_path / folder / "2023")
    described = yaml.safe_load((tmp_path / "data.yaml").read_text())
    (tmp_path / "data.yaml").write_text(yaml.safe_dump({**described, "train": "images/2023"}))
    subsets = open_folder(tmp_path)
    assert {name: len(subset) for name, subset in subsets.items()} == {"train": 2, "val": 1}


def test_a_list_of_images(tmp_path):
    yolo(tmp_path, "images/{}")
    (tmp_path / "train.txt").write_text("/home/me/set/images/train/im1.png\n./images/train/gone.png\n")
    described = yaml.safe_load((tmp_path / "data.yaml").read_text())
    (tmp_path / "data.yaml").write_text(yaml.safe_dump({**described, "train": "train.txt"}))
    train = open_folder(tmp_path)["train"]
    assert [sample.name for sample in train.samples] == ["images/train/im1.png"]
    assert [str(each) for each in train.unmatched] == ["named in train.txt, but not there: ./images/train/gone.png"]
    np.testing.assert_array_equal(train.read_mask(train.samples[0]), truth("im1"))


def test_a_folder_of_a_subset_is_described_above_it(tmp_path):
    yolo(tmp_path, "{}/images")
    (subset,) = open_folder(tmp_path / "train").values()
    assert subset.labels.names == NAMES
    assert len(subset) == 2


@pytest.mark.parametrize("place", ["classes.txt", "labels/classes.txt"])
def test_names_in_a_list(tmp_path, place):
    root = one_image(tmp_path, LEFT, None)
    (root / place).write_text("cat\ndog\n")
    assert looks_like(root) == ["yolo_segmentation"]
    (subset,) = open_folder(root).values()
    assert subset.labels.names == ("background", "cat", "dog")


def test_a_class_of_pixels_to_ignore(tmp_path):
    mask = mask_of(one_image(tmp_path, LEFT.replace("0", "1", 1), "names: {0: dog, 1: __ignore__}"))
    assert mask[0].tolist() == [255] * 10 + [0] * 10


def test_boxes_among_outlines_are_ignored(tmp_path, messages):
    mask = mask_of(one_image(tmp_path, f"{LEFT}\n1 0.5 0.5 0.2 1\n"))
    assert mask[0].tolist() == [1] * 10 + [255] * 2 + [0] * 8
    assert "1 of 2 objects are boxes: the pixels in them are ignored" in messages.text


@pytest.mark.parametrize(
    ("lines", "description", "message"),
    [
        ("0 0.5 0.5 0.2 0.2\n", "names: [cat]", "hold 1 box .*, as YOLO detection has them, and no outlines"),
        (LEFT, "names: [cat]\nkpt_shape: [4, 2]", "holds keypoints"),
        (LEFT, None, r"nothing names the classes .*data\.yaml, in the order of their numbers"),
        (LEFT, "nc: 2", "nothing names the classes"),
        (LEFT, "names: cat", "names is 'cat'; it should be a list of names"),
        (LEFT, "names: [yes, cat]", "the name of class 0 is True; write it in quotes"),
        (LEFT, "names: {a: cat}", "a number in names is 'a', not a number"),
        (LEFT, "names: [cat]\nnc: 2", "nc is 2, but names has 1"),
        (LEFT, "names: [cat, cat]", "the label 'cat' is named twice"),
        (LEFT, "names: [cat]\ntrain: [a, b]", "should be the path of one folder"),
        (LEFT, "a: &a [*a]", "contains itself"),
        (LEFT, "- cat", "is a mapping"),
    ],
)
def test_data_that_is_refused(tmp_path, lines, description, message):
    root = one_image(tmp_path, lines, description)
    with pytest.raises(DataError, match=message):
        open_folder(root)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2 0 0 1 0 1 1", r"a\.txt: class 2 has no name in data\.yaml"),
        ("A 0 0 1 0 1 1", "line 1: the class is 'A', not a number"),
        ("² 0 0 1 0 1 1", "the class is '²', not a number"),
        ("0 0 0 10 0 10 10", "width or height is '10'; it should be from -1.0 to 2.0"),
        ("0 0 0 nan 0 1 1", "is 'nan'; it should be"),
        ("0 0 0 1 0 1 1 0.9", "8 values; an outline is a class and three or more points"),
        ("0", "1 value; an outline"),
        ("1.5 0 0 1 0 1 1", "the class is '1.5', not an integer"),
    ],
)
def test_a_damaged_text_is_left_out_and_told(tmp_path, line, message):
    root = one_image(tmp_path, f"{line}\n")
    put(root / "images/b.png", np.zeros((10, 20, 3), np.uint8))
    (root / "labels/b.txt").write_text(LEFT)
    (subset,) = open_folder(root, "yolo_segmentation").values()
    with pytest.raises(DataError, match=message):
        subset.read_mask(subset.samples[0])
    report = scan(subset, threads=1)
    assert (report.images, len(report.broken)) == (1, 1)


def test_images_without_any_text(tmp_path):
    yolo(tmp_path, "images/{}")
    for path in (tmp_path / "labels/val").iterdir():
        path.rename(path.with_stem("other"))
    with pytest.raises(DataError, match=r"none of the 1 images .* that of .*im2\.png would be labels/val/im2\.t"):
        open_folder(tmp_path)


def test_no_bare_images(tmp_path):
    yolo(tmp_path, "images/{}")
    assert not holds_bare_images(tmp_path)


def test_many_images_are_opened_quickly(tmp_path):
    root = one_image(tmp_path, LEFT)
    for number in range(2000):
        shutil.copyfile(root / "labels/a.txt", root / f"labels/{number}.txt")
        (root / f"images/{number}.png").touch()
    begun = time.perf_counter()
    assert len(open_folder(root)["default"]) == 2001
    assert time.perf_counter() - begun < 4


def test_masks_of_subsets_are_those_of_their_images(tmp_path):
    yolo(tmp_path, "{}/images")
    for name, subset in open_folder(tmp_path).items():
        for sample in subset.samples:
            shown = sample.name[-7:-4]
            assert SUBSET_OF[shown] == name
            assert subset.read_mask(sample).shape == (HEIGHT, WIDTH)
