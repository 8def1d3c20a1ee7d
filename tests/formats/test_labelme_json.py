"""labelme's JSON files: shapes, labels, images, and what is refused."""

from __future__ import annotations

import base64
import json

import cv2
import numpy as np
import pytest
from data_layouts import labelme_json, put
from PIL import Image, ImageDraw

from otx_seg.datasets import open_folder
from otx_seg.datasets.opening import looks_like
from otx_seg.datasets.unlabelled import holds_bare_images
from otx_seg.errors import DataError

SIZE = (30, 40)
SQUARE = [[2, 3], [11.9, 3.2], [11.5, 12.5], [2, 12]]


def write(root, *shapes, name="a", **others):
    put(root / f"{name}.png", np.zeros((*SIZE, 3), np.uint8))
    content = {"version": "5.0.1", "flags": {}, "shapes": list(shapes), "imagePath": f"{name}.png", "imageData": None}
    content |= {"imageHeight": SIZE[0], "imageWidth": SIZE[1]}
    content |= others
    (root / f"{name}.json").write_text(json.dumps(content))
    return root


def shape(label="cat", points=SQUARE, kind="polygon", **others):
    return {"label": label, "points": points, "shape_type": kind, "group_id": 7, "flags": {}} | others


def mask_of(root):
    (subset,) = open_folder(root).values()
    return subset.read_mask(subset.samples[0])


def expected(*boxes):
    mask = np.zeros(SIZE, np.uint8)
    for label, (left, top, right, bottom) in boxes:
        mask[top:bottom, left:right] = label
    return mask


@pytest.mark.parametrize(
    "drawn",
    [
        shape(),
        shape(points=[[11.5, 12.9], [2, 3]], kind="rectangle"),
        shape(points=SQUARE, kind="rectangle"),
        {"label": "cat", "points": SQUARE},
    ],
)
def test_a_square(tmp_path, drawn):
    np.testing.assert_array_equal(mask_of(write(tmp_path, drawn)), expected((1, (2, 3, 12, 13))))


@pytest.mark.parametrize("seed", range(3))
def test_polygons_are_those_that_labelme_draws(tmp_path, seed):
    points = np.random.default_rng(seed).uniform((0, 0), (50, 35), (7, 2)).tolist()
    drawn = Image.new("L", SIZE[::-1])
    ImageDraw.Draw(drawn).polygon([tuple(point) for point in points], outline=1, fill=1)
    np.testing.assert_array_equal(mask_of(write(tmp_path, shape(points=points))), np.asarray(drawn))


def test_a_circle(tmp_path):
    mask = mask_of(write(tmp_path, shape(points=[[20.5, 15.5], [20.5, 25.5]], kind="circle")))
    down, across = np.mgrid[: SIZE[0], : SIZE[1]]
    distance = np.hypot(down - 15, across - 20)
    assert (mask[distance < 9.5] == 1).all()
    assert (mask[distance > 10.5] == 0).all()


def test_a_mask_that_reaches_beyond_the_image(tmp_path):
    pixels = np.eye(8, dtype=np.uint8)
    coded = base64.b64encode(cv2.imencode(".png", pixels)[1].tobytes()).decode()
    mask = mask_of(write(tmp_path, shape(points=[[35, -2], [42, 5]], kind="mask", mask=coded)))
    full = np.zeros(SIZE, np.uint8)
    full[:6, 35:] = pixels[2:, :5]
    np.testing.assert_array_equal(mask, full)


def test_later_shapes_lie_above_and_labels_come_sorted(tmp_path):
    upper = shape("bird", [[5, 5], [7, 5], [7, 7], [5, 7]])
    root = write(tmp_path, shape("cat"), upper)
    np.testing.assert_array_equal(mask_of(root), expected((2, (2, 3, 12, 13)), (1, (5, 5, 8, 8))))


def test_labels_that_are_listed(tmp_path):
    root = write(tmp_path, shape("dog"), shape("__ignore__", [[5, 5], [7, 5], [7, 7], [5, 7]]))
    (root / "labels.txt").write_text("__ignore__\n_background_\ncat\ndog\n")
    (subset,) = open_folder(root).values()
    assert subset.labels.names == ("_background_", "cat", "dog")
    assert subset.labels.background == 0
    np.testing.assert_array_equal(mask_of(root), expected((2, (2, 3, 12, 13)), (255, (5, 5, 8, 8))))
    (root / "labels.txt").write_text("cat\n")
    with pytest.raises(DataError, match=r"a\.json: the label 'dog' is not in .*labels\.txt, which lists cat; add it"):
        open_folder(root)


def test_lines_and_points_are_told(tmp_path, messages):
    root = write(tmp_path, shape(), shape(points=[[1, 1], [20, 20]], kind="line"), shape(points=[[1, 1]], kind="point"))
    np.testing.assert_array_equal(mask_of(root), expected((1, (2, 3, 12, 13))))
    assert "2 lines or points cover no pixels and are skipped; the first: a.png" in messages.text


def test_a_stray_click_is_ignored_below_all_others(tmp_path, messages):
    root = write(tmp_path, shape(), shape(points=[[4, 4], [6, 6]]), shape(points=[[20, 20], [22, 21]]))
    np.testing.assert_array_equal(mask_of(root), expected((1, (2, 3, 12, 13)), (255, (20, 20, 22, 21))))
    assert "2 polygons have fewer than three points" in messages.text


def test_nothing_drawn_is_background(tmp_path):
    write(tmp_path, shape())
    write(tmp_path, name="b")
    (subset,) = open_folder(tmp_path).values()
    assert [subset.read_mask(sample).max() for sample in subset.samples] == [1, 0]


@pytest.mark.parametrize("path", ["../images/a.png", r"..\images\a.png", r"C:\Users\me\images\a.png", "a.png"])
def test_images_elsewhere(tmp_path, path):
    write(tmp_path, shape(), imagePath=path)
    for name, folder in (("a.json", "json"), ("a.png", "images")):
        (tmp_path / folder).mkdir()
        (tmp_path / name).rename(tmp_path / folder / name)
    assert looks_like(tmp_path) == ["labelme_json"]
    (subset,) = open_folder(tmp_path).values()
    assert [sample.name for sample in subset.samples] == ["images/a.png"]


def test_files_without_partner(tmp_path):
    write(tmp_path, shape())
    write(tmp_path, shape(), name="b", imageData="AAAA")
    (tmp_path / "b.png").rename(tmp_path / "c.png")
    (tmp_path / "notes.json").write_text('{"made": "in May"}')
    (subset,) = open_folder(tmp_path).values()
    assert [str(each) for each in subset.unmatched] == [
        "named in b.json, but not there: b.png",
        "image without JSON file: c.png",
    ]


def test_an_image_of_another_size(tmp_path):
    with pytest.raises(
        DataError, match=r"a\.json: says that a\.png has 4000 x 3000 pixels, the file has 40 x 30; correct"
    ):
        mask_of(write(tmp_path, shape(), imageHeight=3000, imageWidth=4000))


def test_no_bare_images(tmp_path):
    labelme_json(tmp_path, ".")
    assert not holds_bare_images(tmp_path)


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (shape(points="x"), "shape 1: points should be a list of .x, y., not 'x'"),
        (shape(points=[[1, 2, 3]]), "shape 1: points should be a list"),
        (shape(points=[[1, None]]), "shape 1: a coordinate is None, not a number"),
        (shape(points=[[1, 1e30]]), "it should be from -1,000,000 to 1,000,000"),
        (shape(label=None), "its label is None, not a name"),
        (shape(kind="spline"), "shape_type is 'spline'; polygon, rectangle, circle and mask are read"),
        (shape(kind="circle"), "a circle has two points, this has 4"),
        (shape(points=[[1, 1], [2, 2]], kind="mask"), "its pixels are no base64"),
        ("x", "shape 1: a shape should be a mapping, it is 'x'"),
    ],
)
def test_shapes_that_are_refused(tmp_path, drawn, message):
    with pytest.raises(DataError, match=rf"a\.json: .*{message}"):
        mask_of(write(tmp_path, drawn))


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"shapes": {}}, "shapes should be a list"),
        ({"imagePath": None}, "imagePath is None, not the path of an image"),
        ({"imageHeight": -5}, "the image's height is -5; it should be from 1"),
        ({"imageHeight": 100_000, "imageWidth": 100_000}, "the image's size is 100000 x 100000, more pixels than"),
    ],
)
def test_files_that_are_refused(tmp_path, others, message):
    with pytest.raises(DataError, match=rf"a\.json: {message}"):
        open_folder(write(tmp_path, shape(), **others), "labelme_json")


def test_two_files_of_one_image(tmp_path):
    write(tmp_path, shape())
    write(tmp_path, shape(), name="b", imagePath="a.png")
    with pytest.raises(DataError, match=r"a\.png is described twice, in a\.json and in b\.json; keep one"):
        open_folder(tmp_path)


def test_no_labelme_files(tmp_path):
    with pytest.raises(DataError, match="no JSON files"):
        open_folder(tmp_path, "labelme_json")
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(DataError, match="none of its 1 JSON files has shapes"):
        open_folder(tmp_path, "labelme_json")
