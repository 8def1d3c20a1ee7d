"""VIA's files: shapes, the attribute that is the label, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from data_layouts import put, via

from otx_seg.datasets import open_folder
from otx_seg.errors import DataError

SIZE = (30, 40)
RECT = {"name": "rect", "x": 2, "y": 3, "width": 10, "height": 10}


def write(root, *regions, name="a.png", file="via_region_data.json"):
    put(root / name, np.zeros((*SIZE, 3), np.uint8))
    marked = [{"shape_attributes": shape, "region_attributes": attributes} for shape, attributes in regions]
    entry = {"filename": name, "size": 9, "regions": marked, "file_attributes": {}}
    (root / file).write_text(json.dumps({f"{name}9": entry}))
    return root


def opened(root):
    (subset,) = open_folder(root).values()
    return subset.labels.names, subset.read_mask(subset.samples[0])


def square(label):
    mask = np.zeros(SIZE, np.uint8)
    mask[3:13, 2:12] = label
    return mask


def test_round_shapes(tmp_path):
    circle = {"name": "circle", "cx": 10.5, "cy": 15.5, "r": 6}
    oval = {"name": "ellipse", "cx": 28.5, "cy": 15.5, "rx": 10, "ry": 4, "theta": np.pi / 2}
    _, mask = opened(write(tmp_path, (circle, {"label": "a"}), (oval, {"label": "b"})))
    down, across = np.mgrid[: SIZE[0], : SIZE[1]] - np.array(15).reshape(1, 1, 1)
    for value, reach in ((1, np.hypot(across + 5, down) / 6), (2, np.hypot((across - 13) / 4, down / 10))):
        assert (mask[reach < 0.88] == value).all()
        assert (mask[(reach > 1.12)] != value).all()


@pytest.mark.parametrize(
    ("attributes", "label"),
    [
        ({"label": "cat", "quality": "good"}, "cat"),
        ({"Type": "cat", "colour": "red"}, "cat"),
        ({"animal": "cat"}, "cat"),
        ({"animal": {"cat": True, "dog": False}}, "cat"),
        ({"class": 7}, "7"),
    ],
)
def test_the_attribute_that_is_the_label(tmp_path, attributes, label):
    names, mask = opened(write(tmp_path, (RECT, attributes)))
    assert names == ("background", label)
    np.testing.assert_array_equal(mask, square(1))


def test_no_attribute_at_all(tmp_path, messages):
    names, mask = opened(write(tmp_path, (RECT, {})))
    assert names == ("background", "object")
    np.testing.assert_array_equal(mask, square(1))
    assert "1 regions have no attribute that could be a label: all are called object" in messages.text


def test_a_region_without_label_is_ignored(tmp_path, messages):
    other = {"name": "rect", "x": 20, "y": 20, "width": 5, "height": 5}
    _, mask = opened(write(tmp_path, (RECT, {"label": "undefined"}), (other, {"label": "cat"})))
    assert (mask[3:13, 2:12] == 255).all()
    assert "1 regions have no label: their pixels are ignored" in messages.text


def test_lines_are_told(tmp_path, messages):
    line = {"name": "polyline", "all_points_x": [1, 2], "all_points_y": [1, 2]}
    _, mask = opened(write(tmp_path, (RECT, {"label": "cat"}), (line, {"label": "cat"})))
    np.testing.assert_array_equal(mask, square(1))
    assert "1 lines or points cover no pixels" in messages.text


def test_images_without_region_are_background(tmp_path):
    via(tmp_path, "csv")
    path = tmp_path / "val/via_export_csv.csv"
    path.write_text(path.read_text() + 'empty.png,9,"{}",0,0,"{}","{}"\r\n')
    put(tmp_path / "val/empty.png", np.zeros((*SIZE, 3), np.uint8))
    val = open_folder(tmp_path)["val"]
    assert [int(val.read_mask(sample).max()) for sample in val.samples] == [0, 2]


@pytest.mark.parametrize(
    ("region", "message"),
    [
        (
            (RECT, {"colour": "red", "size": "big"}),
            "region attribute is the label. There are colour, size; rename",
        ),
        ((RECT, {"label": {"a": True, "b": True}}), "label has 2 values, a, b; tick one"),
        (({**RECT, "width": "x"}, {"label": "a"}), "a region of a.png: width is 'x', not a number"),
        (({**RECT, "x": 1e30}, {"label": "a"}), "x is 1e.30; it should be from"),
        (({"name": "blob"}, {"label": "a"}), "its shape is 'blob'; polygon, rect, circle and ellipse are read"),
        (
            ({"name": "polygon", "all_points_x": [1], "all_points_y": []}, {"label": "a"}),
            "has 1 all_points_x and 0 al",
        ),
        (({"name": "polygon"}, {"label": "a"}), "all_points_x should be a list"),
        (
            (7, {"label": "a"}),
            "shape_attributes should be a mapping, it is 7; expected is a project or an exp",
        ),
    ],
)
def test_regions_that_are_refused(tmp_path, region, message):
    with pytest.raises(DataError, match=message):
        opened(write(tmp_path, region))


def test_two_files_of_the_same_images(tmp_path):
    write(tmp_path, (RECT, {"label": "cat"}))
    write(tmp_path, (RECT, {"label": "cat"}), file="via_project.json")
    with pytest.raises(DataError, match=r"twice, in via_project\.json and in via_region_data\.json"):
        open_folder(tmp_path)


def test_a_project_of_the_third_edition(tmp_path):
    content = {"project": {"pid": "__VIA_PROJECT_ID__"}, "config": {}, "file": {"1": {"fid": "1"}}, "metadata": {}}
    (tmp_path / "via_project.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"is a project of VIA 3; export it as COCO"):
        open_folder(tmp_path)
