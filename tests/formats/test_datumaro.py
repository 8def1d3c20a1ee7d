"""Objects in Datumaro's JSON: order, background, boxes, crowds, and what is refused."""

import json

import numpy as np
import pytest
from data_layouts import by_datumaro, put

from otx_seg.datasets import open_folder
from otx_seg.errors import DataError


def thing(kind, label, points, z_order=0, crowd=False, group=0):
    shape = {"bbox": points} if kind == "bbox" else {"points": points}
    return {
        "id": 1,
        "type": kind,
        "attributes": {"is_crowd": crowd},
        "group": group,
        "label_id": label,
        "z_order": z_order,
        **shape,
    }


def square(start, end):
    return [start, 0, end, 0, end, 4, start, 4]


@pytest.fixture
def first_row(tmp_path):
    """The first row of the mask of 10 x 4 pixels that these objects give: `first_row([thing(...), ...])`."""

    def read(things):
        put(tmp_path / "images/train/a.png", np.zeros((4, 10, 3), np.uint8))
        described = {
            "dm_format_version": "1.0",
            "media_type": 2,
            "infos": {},
            "categories": {"label": {"labels": [{"name": name, "parent": ""} for name in ("cat", "dog")]}},
            "items": [{"id": "a", "annotations": things, "image": {"path": "a.png", "size": [4, 10]}}],
        }
        (tmp_path / "annotations").mkdir(exist_ok=True)
        (tmp_path / "annotations/train.json").write_text(json.dumps(described))
        subset = open_folder(tmp_path)["train"]
        assert subset.labels.names == ("background", "cat", "dog")
        return subset.read_mask(subset.samples[0])[0].tolist()

    return read


def test_the_z_order_decides_and_then_the_order_of_the_file(first_row):
    below_and_above = [thing("polygon", 1, square(0, 4), z_order=1), thing("polygon", 0, square(2, 8))]
    assert first_row(below_and_above) == [2, 2, 2, 2, 1, 1, 1, 1, 0, 0]
    one_level = [thing("polygon", 1, square(0, 4)), thing("polygon", 0, square(2, 8))]
    assert first_row(one_level) == [2, 2, 1, 1, 1, 1, 1, 1, 0, 0]


def test_crowds_and_boxes_of_nothing_are_ignored_below_the_objects(first_row):
    things = [
        thing("polygon", 0, square(2, 4), group=7),
        thing("bbox", 0, [0, 0, 10, 4], group=7),  # the box of this polygon
        thing("polygon", 0, square(3, 6), crowd=True),
        thing("bbox", 1, [8, 0, 2, 4]),
    ]
    assert first_row(things) == [0, 0, 1, 1, 255, 255, 0, 0, 255, 255]
    mixed = [thing("polygon", 1, square(3, 6), crowd=True), thing("polygon", 0, square(0, 2))]
    assert first_row(mixed) == [1, 1, 0, 2, 2, 2, 0, 0, 0, 0]


def test_boxes_alone(first_row):
    with pytest.raises(
        DataError, match=r"has annotations \(bbox\), but no masks or polygons; export the data with them"
    ):
        first_row([thing("bbox", 1, [8, 0, 2, 4])])


def test_polygons_of_too_few_points_are_ignored_in_their_box(first_row, messages):
    things = [thing("polygon", 0, square(0, 4)), thing("polygon", 1, [3, 0, 6.5, 2]), thing("polygon", 1, [9, 0])]
    assert first_row(things) == [1, 1, 1, 1, 255, 255, 255, 0, 0, 255]
    told = "2 polygons have fewer than three points: the pixels in their boxes are ignored; the first: images/train/a"
    assert told in messages.text


@pytest.fixture
def changed(tmp_path):
    """Writes the usual data set, changed: `changed(lambda content: ...)` gives its folder."""

    def write(change):
        by_datumaro("datumaro")(tmp_path)
        path = tmp_path / "annotations" / "train.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
        return tmp_path

    return write


def test_equal_items(changed):
    root = changed(lambda content: content["items"].append(content["items"][0]))
    with pytest.raises(DataError, match=r"images/train/im0\.png is described twice, in annotations/train\.json; keep"):
        open_folder(root)


def test_a_missing_image_is_left_out_and_no_image_refused(changed):
    root = changed(lambda content: None)
    (root / "images/train/im0.png").unlink()
    subset = open_folder(root)["train"]
    assert [left.kind for left in subset.unmatched] == ["missing_files"]
    assert (len(subset), subset.unmatched[0].name) == (1, "im0.png")
    (root / "images/train/im1.png").unlink()
    with pytest.raises(DataError, match=r"no annotated image of .* train is there; put the images .*im0\.png"):
        open_folder(root)


ODD = [None, True, "", "x", "²", "-1", -1, 0.5, 1e9, -1e300, 10**30, [], [[]], [None], {}, {"a": 1}, "1" * 5000]
FIELDS = [
    "id",
    "type",
    "attributes",
    "group",
    "label_id",
    "z_order",
    "points",
    "bbox",
    "rle",
    "counts",
    "size",
    "number",
]


def read(root):
    """Reads every mask; what is said where that cannot be done, else None."""
    try:
        for subset in open_folder(root).values():
            for sample in subset.samples:
                assert subset.read_mask(sample).shape == (16, 24)
    except DataError as error:
        return str(error)
    return None


@pytest.mark.parametrize("where", FIELDS)
def test_odd_values_of_annotations_are_read_or_refused(changed, where):
    for value in ODD:

        def change(content, value=value):
            first = content["items"][0]["annotations"][0]
            target = first["rle"] if where in ("counts", "size") else first
            if where in ("points", "number"):
                first["type"] = "polygon"
                target["points"] = value if where == "points" else [1, 2, 3, value, 5, 6]
            elif where == "bbox":
                first |= {"type": "bbox", "bbox": value, "group": 77}
            else:
                target[where] = value

        told = read(changed(change))
        assert told is None or "annotations/train.json: " in told
        assert len(told or "") < 600


@pytest.mark.parametrize("where", ["items", "item", "categories", "labels", "path", "image", "size", "side"])
def test_odd_values_of_the_rest_are_read_or_refused(changed, where):
    for value in ODD:

        def change(content, value=value):
            item = content["items"][0]
            if where in ("items", "categories"):
                content[where] = value
            elif where == "item":
                content["items"][0] = value
            elif where == "labels":
                content["categories"]["label"]["labels"] = value
            elif where == "image":
                item["image"] = value
            elif where == "side":
                item["image"]["size"] = [16, value]
            else:
                item["image"][where] = value

        told = read(changed(change))
        assert told is None or str(told)
        assert len(told or "") < 600
