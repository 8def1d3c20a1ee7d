"""Objects in LabelMe's XML: what becomes of them, and what is refused."""

import re

import numpy as np
import pytest
from data_layouts import by_datumaro, put

from otx_seg.datasets import open_folder
from otx_seg.errors import DataError


def polygon(number, name, points, more=""):
    corners = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in points)
    named = f"<name>{name}</name><id>{number}</id><deleted>0</deleted>{more}"
    return f"<object>{named}<polygon><username/>{corners}</polygon></object>"


SQUARE = [(0, 0), (4, 0), (4, 4), (0, 4)]


@pytest.fixture
def labelme(tmp_path):
    """Writes an image of 10 x 4 pixels and its objects; gives the folder."""

    def write(objects, size="<nrows>4</nrows><ncols>10</ncols>", file="a"):
        put(tmp_path / "Images" / "train" / "a.png", np.zeros((4, 10, 3), np.uint8))
        folder = tmp_path / "Annotations" / "train"
        folder.mkdir(parents=True, exist_ok=True)
        described = "<filename>a.png</filename><folder>train</folder>"
        (folder / f"{file}.xml").write_text(
            f"<annotation>{described}<imagesize>{size}</imagesize>{objects}</annotation>", encoding="utf-8"
        )
        return tmp_path

    return write


def first_row(root):
    subset = open_folder(root)["train"]
    return subset.read_mask(subset.samples[0])[0].tolist()


def test_objects_in_the_order_of_the_file_and_deleted_ones_left_out(labelme):
    dog = polygon(1, "dog", [(2, 0), (6, 0), (6, 4), (2, 4)])
    root = labelme(polygon(0, "cat", SQUARE) + dog)
    assert open_folder(root)["train"].labels.names == ("background", "cat", "dog")
    assert first_row(root) == [1, 1, 2, 2, 2, 2, 0, 0, 0, 0]
    assert first_row(labelme(polygon(0, "cat", SQUARE) + dog.replace("<deleted>0", "<deleted>1"))) == [1] * 4 + [0] * 6


def test_objects_without_name_and_boxes_are_ignored(labelme, messages):
    box = polygon(1, "cat", [(6, 0), (8, 0), (8, 4), (6, 4)], "<type>bounding_box</type>")
    root = labelme(polygon(0, "cat", SQUARE) + box + polygon(2, "", [(9, 0), (10, 0), (10, 4), (9, 4)]))
    assert first_row(root) == [1, 1, 1, 1, 0, 0, 255, 255, 0, 255]
    assert "1 boxes have no polygon" in messages.text
    part = box.replace("<polygon>", "<parts><hasparts/><ispartof>0</ispartof></parts><polygon>")
    assert first_row(labelme(polygon(0, "cat", SQUARE) + part)) == [1] * 4 + [0] * 6


def test_equal_ids_and_images(labelme):
    with pytest.raises(DataError, match=r"a\.xml: unusable: objects have the same id: 0; give each its own"):
        open_folder(labelme(polygon(0, "cat", SQUARE) * 2))
    labelme(polygon(0, "cat", SQUARE), file="b")
    with pytest.raises(DataError, match=r"a\.png is described twice, in .*/a\.xml and in .*/b\.xml; keep"):
        open_folder(labelme(polygon(0, "cat", SQUARE)))


def test_a_missing_image_or_mask(tmp_path):
    by_datumaro("label_me")(tmp_path)
    (tmp_path / "Images/train/im0.png").unlink()
    subset = open_folder(tmp_path)["train"]
    assert [(left.kind, left.name) for left in subset.unmatched] == [("missing_files", "Images/train/im0.png")]
    next((tmp_path / "Masks/train").glob("im1*")).unlink()
    with pytest.raises(DataError, match=r"im1\.xml: unusable: the mask 'im1_mask_0\.png' is not in .*Masks"):
        open_folder(tmp_path)


def test_a_mask_of_another_size_is_not_decoded(tmp_path):
    by_datumaro("label_me")(tmp_path)
    put(next((tmp_path / "Masks/train").glob("im1*")), np.zeros((99, 24), np.uint8))
    with pytest.raises(DataError, match=r"the mask train/im1_mask_0\.png has another size than its image"):
        open_folder(tmp_path)


ODD = ["", "x", "²", "-1", "0.5", "1e9", "-1e300", "1e400", "nan", "inf", "1" * 5000, "1,2", "0x10"]


@pytest.mark.parametrize("tag", ["filename", "folder", "nrows", "ncols", "name", "id", "deleted", "x", "y"])
def test_odd_texts_are_read_or_refused(labelme, tag):
    for value in ODD:
        root = labelme(polygon(0, "cat", SQUARE))
        path = root / "Annotations/train/a.xml"
        text = re.sub(f"<{tag}>[^<]*</{tag}>", f"<{tag}>{value}</{tag}>", path.read_text(), count=1)
        path.write_text(text, encoding="utf-8")
        told = str(root)
        try:
            for subset in open_folder(root).values():
                assert subset.read_mask(subset.samples[0]).shape == (4, 10)
        except DataError as error:
            told = str(error)
        assert str(root) in told
