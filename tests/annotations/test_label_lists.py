"""Which file lists the labels of a data set, and what its values mean."""

from __future__ import annotations

import json

import numpy as np
import pytest
from data_layouts import painted, put

from otx_seg.annotations.label_lists import find_label_lists
from otx_seg.datasets import open_folder
from otx_seg.errors import DataError


@pytest.fixture
def folders(tmp_path):
    """An image with a mask of the values 0, 1, 2."""
    put(tmp_path / "images/a.png", np.zeros((1, 3, 3), np.uint8))
    put(tmp_path / "masks/a.png", np.array([[0, 1, 2]], np.uint8))
    return tmp_path


def opened(root):
    (subset,) = open_folder(root).values()
    return subset.labels, subset.read_mask(subset.samples[0])[0].tolist()


NAMES = ("background", "cat", "dog")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("labels.txt", "background\ncat\ndog"),
        ("classes.txt", "background\ncat\ndog"),
        ("class_names.txt", "\ufeffbackground\ncat\ndog"),
        ("obj.names", "background\ncat\ndog"),
        ("codes.txt", "background\ncat\ndog"),
        ("_classes.csv", "Pixel Value, Class\n0, background\n1, cat\n2, dog"),
        ("labelmap.csv", "name,id\ndog,2\ncat,1\nbackground,0"),
        ("labelmap.txt", "background:0,0,0::\ncat:255,0,0::\ndog:0,128,0::"),
        ("class_dict.csv", "name,r,g,b\nbackground,0,0,0\ncat,255,0,0\ndog,0,128,0"),
        ("label_colors.txt", "0 0 0 background\n255 0 0 cat\n0 128 0 dog"),
        ("labels.csv", "background\ncat\ndog"),
        ("class_mapping.csv", "class_name,class_color\nbackground,0\ncat,1\ndog,2"),
        ("labels.json", json.dumps(dict(enumerate(NAMES)))),
        ("metadata.json", json.dumps({"default_mask_targets": dict(enumerate(NAMES))})),
        ("data.yaml", "names: [background, cat, dog]"),
        (
            "label_map.pbtxt",
            "item {\n  name: 'cat'\n  id: 1\n}\nitem {\n  id: 2 name: '/m/0bt9lr'\n  display_name: \"dog\"}",
        ),
        ("images.csv", None),
    ],
)
@pytest.mark.parametrize("place", [".", "train"])
def test_files_of_tools(file, content, place, folders, tmp_path):
    root = folders
    if place == "train":
        for part in ("images", "masks"):
            (root / "train").mkdir(exist_ok=True)
            (root / part).rename(root / "train" / part)
    (root / place / file).write_text("a,b" if content is None else content, encoding="utf-8")
    labels, mask = opened(root)
    assert labels.names == (("label_0", "label_1", "label_2") if content is None else NAMES)
    assert (labels.background, mask) == (None if content is None else 0, [0, 1, 2])


def test_labels_without_pixels_are_labels_and_values_with_gaps_stay_with_their_names(folders, messages):
    (folders / "_classes.csv").write_text("Pixel Value, Class\n0, background\n1, cat\n2, dog\n3, cow\n90, hen")
    put(folders / "masks/a.png", np.array([[0, 90, 2]], np.uint8))
    labels, mask = opened(folders)
    assert labels.names == ("background", "cat", "dog", "cow", "hen")
    assert [labels.names[index] for index in mask] == ["background", "hen", "dog"]
    assert "mask values in" in messages.text
    assert "have gaps; in predictions the labels have the numbers 0 to 4" in messages.text
    put(folders / "masks/a.png", np.array([[0, 4, 2]], np.uint8))
    with pytest.raises(
        DataError, match=r"mask value 4 \(1 pixels\) is no label; allowed are 0 background.* 90 hen and 255"
    ):
        opened(folders)


def test_255_and_values_of_sixteen_bits_may_be_labels(folders):
    (folders / "labels.csv").write_text("value,name\n0,background\n255,cat\n1000,dog")
    put(folders / "masks/a.png", np.array([[1000, 255, 0]], np.uint16))
    assert opened(folders)[1] == [2, 1, 0]


def test_names_that_are_no_labels_are_ignored(folders):
    (folders / "class_dict.csv").write_text("name,r,g,b\nVoid,0,0,0\nred,255,0,0\nBG,0,128,0")
    put(folders / "masks/a.png", painted(np.array([[0, 1, 2]], np.uint8)))
    labels, mask = opened(folders)
    assert (labels.names, labels.background, mask) == (("red", "BG"), 1, [255, 0, 1])


def test_what_has_no_label_is_the_background_of_a_single_one(folders):
    (folders / "labels.txt").write_text("unlabeled\ncrack\n")
    put(folders / "masks/a.png", np.array([[0, 1, 1]], np.uint8))
    labels, mask = opened(folders)
    assert (labels.names, labels.background, mask) == (("unlabeled", "crack"), 0, [0, 1, 1])


def test_the_list_of_labelme_begins_before_0(folders):
    (folders / "labels.txt").write_text("__ignore__\n_background_\ncat\ndog\n")
    labels, mask = opened(folders)
    assert (labels.names, labels.background, mask) == (("_background_", "cat", "dog"), 0, [0, 1, 2])


def test_files_that_look_like_lists_and_cannot_be_used_are_named(folders, messages):
    (folders / "train_labels.csv").write_text("id,label\nx1,cat\nx2,cat\n")
    assert opened(folders)[0].names == ("label_0", "label_1", "label_2")
    assert "train_labels.csv: the label 'cat' is named twice; write one name per line, each once; correct that" in (
        messages.text
    )
    (folders / "labels.txt").write_text("background\ncat\ndog\n")
    assert opened(folders)[0].names == NAMES


def test_what_each_image_shows_is_no_list_of_labels(folders):
    """As in ADE20K's files for scene parsing."""
    (folders / "sceneCategories.txt").write_text("ADE_train_00000001 airport\nADE_train_00000002 bar\n")
    (folders / "objectInfo3.txt").write_text("Idx\tRatio\tName\n0\t0.5\tbackground\n1\t0.2\tcat\n2\t0.1\tdog\n")
    assert opened(folders)[0].names == NAMES


def test_numbers_of_five_digits_in_names_of_labels(folders):
    (folders / "classes.txt").write_text("background\npart 10023\npart 20077\n")
    assert opened(folders)[0].names == ("background", "part 10023", "part 20077")


def test_0_has_no_label_in_the_list_of_ade20k(folders, messages):
    (folders / "objectInfo150.txt").write_text("Idx\tRatio\tName\n1\t0.5\tcat, puss\n2\t0.1\tdog\n")
    labels, mask = opened(folders)
    assert (labels.names, mask) == (("cat, puss", "dog"), [255, 0, 1])
    assert "objectInfo150.txt: cat, puss, dog; ignored: void" in messages.text
    (folders / "objectInfo150.txt").rename(folders / "classes.txt")
    with pytest.raises(DataError, match=r"value 0 .* give it a name in classes\.txt: `0 background`, or `0 void` if"):
        opened(folders)


def test_colours_and_values_of_several_lists_come_together(folders):
    (folders / "classes.txt").write_text("background\ncat\ndog\n")
    (folders / "colors.csv").write_text("name,r,g,b\nbackground,0,0,0\ncat,255,0,0\ndog,0,128,0")
    assert opened(folders)[0].colors == ((0, 0, 0), (255, 0, 0), (0, 128, 0))
    (folders / "colors.csv").write_text("name,r,g,b\ncat,255,0,0\nbackground,0,0,0\ndog,0,128,0")
    with pytest.raises(DataError, match=r"colors\.csv: lists other labels than .*classes\.txt, or in another order"):
        open_folder(folders)


def test_our_own_list_comes_before_others(folders, messages):
    (folders / "labels.txt").write_text("background\ncat\ndog\n")
    (folders / "classes.txt").write_text("cat\ndog\n")
    assert opened(folders)[0].names == NAMES
    assert "classes.txt: lists other labels than" in messages.text


def test_other_files_are_not_even_opened(tmp_path):
    for name in ("README.txt", "train.txt", "images.csv", "dataset_meta.json", "_annotations.coco.json"):
        (tmp_path / name).mkdir()  # opening it would fail
    assert find_label_lists([tmp_path]) == ((), ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,id\na,1\nb,1", "the labels 'a' and 'b' have the same mask value 1"),
        ("x" * 201 + "\nb", "is no label; write one name per line"),
        ("a.jpg\nb.jpg", "'a.jpg' is no label"),
        ("# nothing", "lists no labels that can be told"),
        ("\n".join(map(str, range(300))), "300 labels; at most 254 are possible"),
    ],
)
def test_lists_that_cannot_be_used(content, message, folders):
    (folders / "labels.txt").write_text(content)
    with pytest.raises(DataError, match=message):
        open_folder(folders)
