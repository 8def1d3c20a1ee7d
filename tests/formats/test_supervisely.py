"""Supervisely's projects: data sets, holes, bitmaps, classes, and what is refused."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from data_layouts import COLORS, corner_pixels, put, supervisely, truth

from otx_seg.datasets import open_folder
from otx_seg.errors import DataError


def change(root, content, name="train/ann/im0.png.json"):
    path = root / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **content}))


def objects_of(root):
    return json.loads((root / "train/ann/im0.png.json").read_text())["objects"]


def first_mask(root):
    train = open_folder(root)["train"]
    return train.read_mask(train.samples[0])


def test_colours_of_classes(tmp_path):
    supervisely(tmp_path)
    assert open_folder(tmp_path)["train"].labels.colors == COLORS


def test_data_sets_of_other_names_are_one(tmp_path):
    supervisely(tmp_path)
    for name in ("train", "val"):
        (tmp_path / name).rename(tmp_path / f"ds {name}")
    assert {name: len(subset) for name, subset in open_folder(tmp_path).items()} == {"default": 3}


def test_data_sets_in_data_sets(tmp_path):
    supervisely(tmp_path)
    inside = tmp_path / "train/datasets/more"
    inside.parent.mkdir()
    (tmp_path / "val").rename(inside)
    train = open_folder(tmp_path)["train"]
    assert [sample.name for sample in train.samples] == [
        "train/datasets/more/img/im2.png",
        "train/img/im0.png",
        "train/img/im1.png",
    ]


def test_a_hole_shows_what_lies_below(tmp_path):
    supervisely(tmp_path)
    dog = {
        "classTitle": "dog",
        "geometryType": "polygon",
        "points": {"exterior": corner_pixels((0, 0, 24, 16)), "interior": [corner_pixels((1, 1, 20, 13))]},
    }
    change(tmp_path, {"objects": [objects_of(tmp_path)[0], dog]})
    expected = truth("im0")
    expected[8, 3:14] = 1  # without the line
    expected[8, :3], expected[8, 14:] = 0, 0
    frame = np.ones((16, 24), bool)
    frame[1:13, 1:20] = False
    expected[frame] = 2
    np.testing.assert_array_equal(first_mask(tmp_path), expected)


@pytest.mark.parametrize("seed", range(3))
def test_polygons_are_those_that_supervisely_draws(tmp_path, seed):
    supervisely(tmp_path)
    outline, hole = np.random.default_rng(seed).integers((-4, -4), (28, 20), (2, 6, 2))
    points = {"exterior": outline.tolist(), "interior": [hole.tolist()]}
    change(tmp_path, {"objects": [{"classTitle": "dog", "geometryType": "polygon", "points": points}]})
    drawn = cv2.fillPoly(np.zeros((16, 24), np.uint8), [outline.astype(np.int32)], 2)
    np.testing.assert_array_equal(first_mask(tmp_path), cv2.fillPoly(drawn, [hole.astype(np.int32)], 0))


def test_files_without_partner(tmp_path):
    supervisely(tmp_path)
    put(tmp_path / "train/img/new.png", np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "train/img/im0.png").unlink()
    train = open_folder(tmp_path)["train"]
    assert [str(each) for each in train.unmatched] == [
        "named in train/ann/im0.png.json, but not there: train/img/im0.png",
        "image without objects file: new.png",
    ]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"classTitle": "bird"},
            r"im0\.png\.json: the label 'bird' is not in .*meta\.json, which lists background",
        ),
        ({"classTitle": None}, "object 1: classTitle is None, not a name"),
        ({"geometryType": "cuboid"}, "geometryType is 'cuboid'; polygon, bitmap and rectangle are read"),
        ({"points": None}, "points should be a mapping"),
        ({"points": {"exterior": [[1, 2], [3]]}}, "the points of the exterior should be a list"),
        ({"points": {"exterior": [[1, 2]] * 3, "interior": 5}}, "interior should be a list"),
        ({"geometryType": "bitmap", "bitmap": 4}, "bitmap should be a mapping"),
        ({"geometryType": "bitmap", "bitmap": {"origin": [1]}}, "the origin should be a list"),
        ({"geometryType": "rectangle"}, "a rectangle has two points, this has 4"),
    ],
)
def test_objects_that_are_refused(tmp_path, changed, message):
    supervisely(tmp_path)
    first, *others = objects_of(tmp_path)
    change(tmp_path, {"objects": [{**first, **changed}, *others]})
    with pytest.raises(DataError, match=message):
        first_mask(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"size": {"height": 0, "width": 3}}, "the image's height is 0; it should be from 1"),
        ({"size": {"height": 300_000, "width": 300_000}}, "the image's size is 300000 x 300000, more pixels"),
        ({"size": {"height": 8, "width": 12}}, r"says that train/img/im0\.png has 12 x 8 pixels, the file has 24 x 16"),
        ({"objects": None}, "objects should be a list"),
    ],
)
def test_files_that_are_refused(tmp_path, content, message):
    supervisely(tmp_path)
    change(tmp_path, content)
    with pytest.raises(DataError, match=rf"im0\.png\.json: {message}"):
        first_mask(tmp_path)


@pytest.mark.parametrize(
    "classes", [None, [1], [{"title": ""}], [{"title": name} for name in ("background", "cat", "dog", "cat")]]
)
def test_classes_that_are_refused(tmp_path, classes):
    supervisely(tmp_path)
    change(tmp_path, {"classes": classes}, "meta.json")
    with pytest.raises(DataError, match=r"meta\.json: "):
        open_folder(tmp_path)


def test_without_classes(tmp_path):
    supervisely(tmp_path)
    (tmp_path / "meta.json").unlink()
    with pytest.raises(DataError, match=r"meta\.json: cannot be read"):
        open_folder(tmp_path)
