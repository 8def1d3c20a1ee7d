"""Objects that Datumaro reads: order, background, boxes and crowds."""

import json

import numpy as np
import pytest
from data_layouts import put

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
        thing("polygon", 1, square(3, 6), crowd=True),
        thing("bbox", 1, [8, 0, 2, 4]),
    ]
    assert first_row(things) == [0, 0, 1, 1, 255, 255, 0, 0, 255, 255]
    assert first_row([thing("polygon", 1, square(3, 6), crowd=True)]) == [0, 0, 0, 2, 2, 2, 0, 0, 0, 0]


def test_boxes_alone(first_row):
    with pytest.raises(
        DataError, match=r"has annotations \(bbox\), but no masks or polygons; export the data with them"
    ):
        first_row([thing("bbox", 1, [8, 0, 2, 4])])


def test_polygons_of_too_few_points_are_ignored_in_their_box(first_row, messages):
    """Datumaro itself would refuse the whole data set."""
    things = [thing("polygon", 0, square(0, 4)), thing("polygon", 1, [3, 0, 6.5, 2]), thing("polygon", 1, [9, 0])]
    assert first_row(things) == [1, 1, 1, 1, 255, 255, 255, 0, 0, 255]
    told = "2 outlines have fewer than three points, the first one in images/train/a.png: the pixels in their boxes are"
    assert told in messages.text


def test_datumaro_is_left_as_it_was(first_row):
    from datumaro.components.annotation import Polygon

    first_row([thing("polygon", 0, square(0, 4))])
    with pytest.raises(AssertionError, match="Wrong polygon points"):
        Polygon([1, 2, 3, 4])


def test_ellipses_and_exports_of_single_jobs_in_cvat(tmp_path):
    put(tmp_path / "images" / "a.png", np.zeros((6, 12, 3), np.uint8))
    shape = (
        '<ellipse label="cat" source="manual" occluded="0" cx="3.0" cy="3.0" rx="3.0" ry="3.0" z_order="0"></ellipse>'
    )
    (tmp_path / "annotations.xml").write_text(
        "<annotations><version>1.1</version><meta><job><labels><label><name>cat</name></label></labels></job></meta>"
        f'<image id="0" name="a.png" width="12" height="6">{shape}</image></annotations>'
    )
    (subset,) = open_folder(tmp_path, "cvat").values()
    mask = subset.read_mask(subset.samples[0])
    assert mask[3].tolist() == [1] * 6 + [0] * 6
    assert mask[0].tolist()[2:4] == [1, 1]
    assert mask[0, 0] == mask[0, 5] == 0


def test_a_polygon_of_too_few_points_in_cvat(tmp_path, messages):
    put(tmp_path / "images" / "a.png", np.zeros((4, 10, 3), np.uint8))
    outlines = "".join(
        f'<polygon label="cat" occluded="0" points="{points}" z_order="0"></polygon>'
        for points in ("0,0;2,0;2,4;0,4", "5,0;7,2")
    )
    (tmp_path / "annotations.xml").write_text(
        "<annotations><version>1.1</version><meta><task><labels><label><name>cat</name></label></labels></task></meta>"
        f'<image id="0" name="a.png" width="10" height="4">{outlines}</image></annotations>'
    )
    (subset,) = open_folder(tmp_path, "cvat").values()
    assert subset.read_mask(subset.samples[0])[0].tolist() == [1, 1, 0, 0, 0, 255, 255, 0, 0, 0]
    assert "1 outline has fewer than three points" in messages.text
