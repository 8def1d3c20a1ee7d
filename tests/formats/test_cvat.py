"""Objects in CVAT's XML: what becomes of them, and what is refused."""

import re

import numpy as np
import pytest
from data_layouts import put

from otx_seg.datasets import open_folder
from otx_seg.errors import DataError

POLYGON = '<polygon label="cat" points="0,0;2,0;2,4;0,4" z_order="0"/>'
MASK = '<mask label="cat" rle="1, 2, 1" left="6" top="1" width="2" height="2" z_order="0"/>'
ELLIPSE = '<ellipse label="cat" cx="5" cy="2" rx="2" ry="2" rotation="0" z_order="0"/>'
BOX = '<box label="cat" xtl="6" ytl="0" xbr="8" ybr="4" rotation="0" z_order="0"/>'
LABELS = "<label><name>cat</name></label><label><name>dog</name></label>"


@pytest.fixture
def cvat(tmp_path):
    """Writes an image of 10 x 4 pixels and its objects; gives the folder."""

    def write(shapes, labels=LABELS, more="", kind="task", **image):
        put(tmp_path / "images" / "a.png", np.zeros((4, 10, 3), np.uint8))
        described = {"id": "0", "name": "a.png", "width": "10", "height": "4", **image}
        attributes = " ".join(f'{key}="{value}"' for key, value in described.items() if value is not None)
        (tmp_path / "annotations.xml").write_text(
            f"<annotations><version>1.1</version><meta><{kind}><labels>{labels}</labels></{kind}></meta>"
            f"<image {attributes}>{shapes}</image>{more}</annotations>",
            encoding="utf-8",
        )
        return tmp_path

    return write


def only(root):
    (subset,) = open_folder(root).values()
    return subset


def first_row(root):
    subset = only(root)
    return subset.read_mask(subset.samples[0])[0].tolist()


def test_ellipses_and_exports_of_single_jobs(tmp_path):
    put(tmp_path / "images" / "a.png", np.zeros((6, 12, 3), np.uint8))
    shape = '<ellipse label="cat" cx="3.0" cy="3.0" rx="3.0" ry="3.0" z_order="0"></ellipse>'
    (tmp_path / "annotations.xml").write_text(
        "<annotations><version>1.1</version><meta><job><labels><label><name>cat</name></label></labels></job></meta>"
        f'<image id="0" name="a.png" width="12" height="6">{shape}</image></annotations>'
    )
    subset = only(tmp_path)
    mask = subset.read_mask(subset.samples[0])
    assert mask[3].tolist() == [1] * 6 + [0] * 6
    assert mask[0].tolist()[2:4] == [1, 1]
    assert mask[0, 0] == mask[0, 5] == 0


def test_a_polygon_of_too_few_points(cvat, messages):
    root = cvat(POLYGON + POLYGON.replace("0,0;2,0;2,4;0,4", "5,0;7,2"))
    assert first_row(root) == [1, 1, 0, 0, 0, 255, 255, 0, 0, 0]
    assert "1 polygons have fewer than three points" in messages.text


def test_the_z_order_decides_and_then_the_order_of_the_file(cvat):
    dog = POLYGON.replace("cat", "dog").replace("2,", "4,")
    assert first_row(cvat(POLYGON + dog))[:5] == [2, 2, 2, 2, 0]
    assert first_row(cvat(POLYGON.replace('z_order="0"', 'z_order="1"') + dog))[:5] == [1, 1, 2, 2, 0]


def test_masks_go_along_the_rows_of_their_box(cvat):
    subset = only(cvat(MASK))
    assert np.argwhere(subset.read_mask(subset.samples[0])).tolist() == [[1, 7], [2, 6]]


def test_boxes_of_no_outline_are_ignored(cvat, messages):
    assert first_row(cvat(POLYGON + BOX)) == [1, 1, 0, 0, 0, 0, 255, 255, 0, 0]
    assert "1 boxes have no polygon: the pixels in them are ignored; the first: images/a.png" in messages.text
    grouped = (shape.replace("label=", 'group_id="3" label=') for shape in (POLYGON, BOX))
    assert first_row(cvat("".join(grouped))) == [1, 1, *[0] * 8]
    turned = BOX.replace('rotation="0"', 'rotation="90"')  # around (7, 2): from 5 to 9, in rows 1 and 2
    assert first_row(cvat(POLYGON + turned)) == [1, 1, *[0] * 8]
    with pytest.raises(DataError, match=r"annotations\.xml: has annotations \(box\), but no masks or polygons; export"):
        open_folder(cvat(BOX))


def test_labels_of_tags_are_none(cvat):
    labels = "".join(
        f"<label><name>{name}</name><type>{kind}</type></label>"
        for name, kind in (
            ("bad", "tag"),
            ("cat", "polygon"),
            ("dog", "mask"),
            ("leg", "points"),
            ("box", "rectangle"),
        )
    )
    assert only(cvat(f'<tag label="bad"/>{POLYGON}', labels)).labels.names == ("background", "cat", "dog")


def test_a_label_that_the_file_does_not_list(cvat):
    with pytest.raises(DataError, match=r"annotations\.xml: the label 'cow' is not in .*, which lists cat, dog; add"):
        open_folder(cvat(POLYGON.replace("cat", "cow")))


def test_images_of_one_name_are_refused_and_of_one_id_are_told(cvat, messages):
    other = f'<image id="1" name="a.png" width="10" height="4">{POLYGON}</image>'
    with pytest.raises(DataError, match=r"images/a\.png is described twice, in annotations\.xml; keep one of them"):
        open_folder(cvat(POLYGON, more=other))
    root = cvat(POLYGON, more='<image id="0" name="b.png" width="10" height="4"/>')
    put(root / "images" / "b.png", np.zeros((4, 10, 3), np.uint8))
    assert len(only(root)) == 2
    assert "images have the same id: '0'; they are told apart by their names" in messages.text


def test_a_missing_image_is_left_out_and_no_image_refused(cvat):
    root = cvat(POLYGON, more='<image id="1" name="lost.png" width="10" height="4"/>')
    subset = only(root)
    assert [(left.kind, left.name) for left in subset.unmatched] == [("missing_files", "lost.png")]
    (root / "images" / "a.png").unlink()
    with pytest.raises(DataError, match=r"no annotated image of .* is there; put .* not there: a\.png, lost\.png$"):
        open_folder(root)


def test_subsets_of_projects(cvat):
    root = cvat(POLYGON, subset="Train", more='<image id="1" name="b.png" subset="Validation"/>')
    put(root / "images" / "Validation" / "b.png", np.zeros((4, 10, 3), np.uint8))
    assert {name: [s.name for s in subset.samples] for name, subset in open_folder(root).items()} == {
        "train": ["images/a.png"],
        "val": ["images/Validation/b.png"],
    }


def test_frames_of_a_video(cvat):
    shape = POLYGON.replace(' label="cat"', "")
    track = "".join(
        shape.replace("<polygon", f'<polygon frame="{frame}" outside="{outside}"')
        for frame, outside in ((0, 0), (1, 1))
    )
    root = cvat(POLYGON, more=f'<track id="0" label="dog">{track}</track>')
    for frame in range(2):
        put(root / "images" / f"frame_00000{frame}.png", np.zeros((4, 10, 3), np.uint8))
    subset = only(root)
    assert [sample.name for sample in subset.samples] == ["images/a.png", "images/frame_000000.png"]
    assert subset.read_mask(subset.samples[1])[0, :3].tolist() == [2, 2, 0]


def test_a_huge_mask_is_refused_before_there_is_one(cvat):
    huge = re.sub(r'(width|height)="2"', r'\1="300000"', MASK)
    subset = only(cvat(huge))
    with pytest.raises(DataError, match=r"xml: .*a\.png .*300000 x 300000 pixels at \(6, 1\) leaves the image"):
        subset.read_mask(subset.samples[0])
    with pytest.raises(DataError, match=r"the size of a\.png is unusable: .* 300000 x 300000, more pixels than"):
        open_folder(cvat(huge, width="300000", height="300000"))


ODD = ["", "x", "²", "-1", "0", "0.5", "1e9", "-1e300", "1e400", "nan", "inf", "1,2", ";", "1;2", "1,,2", "0x10"]
ODD += ["1" * 400, "1" * 5000]


def read(root):
    """Reads the mask; what is said where that cannot be done, else None."""
    try:
        subset = only(root)
        assert subset.read_mask(subset.samples[0]).shape == (4, 10)
    except DataError as error:
        return str(error)
    return None


@pytest.mark.parametrize("shape", [POLYGON, MASK, ELLIPSE, BOX + POLYGON])
def test_odd_attributes_are_read_or_refused(cvat, shape):
    for name in re.findall(r"(\w+)=", shape):
        for value in ODD:
            told = read(cvat(re.sub(rf'\b{name}="[^"]*"', f'{name}="{value}"', shape, count=1)))
            assert told is None or "annotations.xml: " in told
            assert len(told or "") < 600
        missing = re.sub(rf'\b{name}="[^"]*"', "", shape, count=1)
        assert (read(cvat(missing)) or "annotations.xml: ").count("annotations.xml: ")


@pytest.mark.parametrize("name", ["id", "name", "width", "height", "subset"])
def test_odd_attributes_of_images_are_read_or_refused(cvat, tmp_path, name):
    for value in [*ODD, None]:
        told = read(cvat(POLYGON, **{name: value}))
        assert told is None or str(tmp_path) in told
