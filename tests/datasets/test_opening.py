"""Which format a folder is taken for, and the refusals."""

import json
import logging
import shutil
import subprocess
import sys

import numpy as np
import pytest
from data_layouts import bare, by_datumaro, common, common_in_the_root, put

from otx_seg.datasets import format_of, open_folder
from otx_seg.errors import DataError, UsageError


@pytest.fixture(scope="module")
def two_formats(tmp_path_factory):
    """Common Semantic Segmentation with a file of COCO in it."""
    root = tmp_path_factory.mktemp("data")
    common_in_the_root(root)
    by_datumaro("coco_instances")(root / "coco")
    shutil.move(root / "coco" / "annotations", root / "annotations")
    shutil.rmtree(root / "coco")
    return root


def test_a_folder_that_looks_like_two_formats(two_formats):
    with pytest.raises(
        DataError,
        match=r"looks like coco \(annotations/instances_train\.json\) and like common_semantic_segmentation \(.*\); "
        r"say which to read with --data-format coco or --data-format common_semantic_segmentation",
    ):
        open_folder(two_formats)
    assert len(open_folder(two_formats, "common_semantic_segmentation")["default"]) == 3
    assert open_folder(two_formats, "coco")["train"].labels.names == ("background", "cat", "dog")


def test_subsets_of_two_formats(tmp_path):
    common(tmp_path)
    shutil.rmtree(tmp_path / "val")
    by_datumaro("voc_segmentation")(tmp_path / "val")
    with pytest.raises(DataError, match=r"two formats are mixed: .* itself like common_.*, val in it like voc; "):
        open_folder(tmp_path)


def test_a_subset_of_plain_folders_beside_another_format(tmp_path):
    """What the format of the whole does not know as a subset would be left out without a word."""
    put(tmp_path / "train/images/a.jpg", np.zeros((4, 4, 3), np.uint8))
    put(tmp_path / "train/masks/a.png", np.eye(4, dtype=np.uint8))
    by_datumaro("coco_instances")(tmp_path / "coco")
    (tmp_path / "val").mkdir()
    for image in (tmp_path / "coco/images/train").iterdir():
        image.rename(tmp_path / "val" / image.name)
    (tmp_path / "coco/annotations/instances_train.json").rename(tmp_path / "val/_annotations.coco.json")
    shutil.rmtree(tmp_path / "coco")
    with pytest.raises(
        DataError, match=r"two formats are mixed: .* itself like coco, train in it like image_and_mask_f"
    ):
        open_folder(tmp_path)


def test_an_annotation_file_among_thousands_of_images(tmp_path):
    by_datumaro("coco_instances")(tmp_path)
    (tmp_path / "annotations/instances_train.json").rename(tmp_path / "zzz.json")
    shutil.rmtree(tmp_path / "annotations")
    for number in range(3000):
        (tmp_path / f"{number}.txt").touch()
    assert format_of(tmp_path) == "coco"


def test_what_else_lies_in_the_folder_does_not_matter(tmp_path):
    common(tmp_path)
    by_datumaro("voc_segmentation")(tmp_path / "raw")
    (tmp_path / "notes.json").write_text('{"info": "taken in May", "author": "me"}')
    (tmp_path / "notes.txt").write_text("two words\n")
    (tmp_path / "notes.xml").write_text("<notes/>")
    assert set(open_folder(tmp_path)) == {"train", "val"}


def test_a_data_set_one_folder_below_is_pointed_at(tmp_path):
    by_datumaro("voc_segmentation")(tmp_path / "VOC2012")
    with pytest.raises(DataError, match=rf"not a data set, but VOC2012 in it looks like voc: name {tmp_path}/VOC"):
        open_folder(tmp_path)


def test_what_a_folder_is_taken_for_is_said_unless_it_is_the_ordinary_format(tmp_path, messages, caplog):
    caplog.set_level(logging.INFO, logger="otx_seg")
    common(tmp_path / "ordinary")
    open_folder(tmp_path / "ordinary")
    assert messages.text == ""
    bare(tmp_path / "bare")
    open_folder(tmp_path / "bare")
    assert "bare: read as folders of images and masks; --data-format names another format" in messages.text


def test_an_unknown_format(tmp_path):
    with pytest.raises(UsageError, match="--data-format cocoa: unknown; did you mean 'coco'"):
        open_folder(tmp_path, "cocoa")


@pytest.mark.parametrize("data_format", ["voc", "camvid", "coco", "cityscapes", "kitti", "synthia", "ade20k2017"])
def test_a_folder_that_is_not_of_the_format_named(tmp_path, data_format):
    bare(tmp_path)
    with pytest.raises(DataError, match=str(tmp_path)):
        open_folder(tmp_path, data_format)


@pytest.mark.parametrize("data_format", ["cvat", "labelme", "datumaro"])
def test_folders_without_files_of_a_format(tmp_path, data_format):
    bare(tmp_path)
    with pytest.raises(DataError, match=f"{tmp_path}: no .* files?( of .*)?; expected (is|are) "):
        open_folder(tmp_path, data_format)


def test_files_of_annotations_are_for_coco(tmp_path):
    common(tmp_path)
    (tmp_path / "a.json").write_text(json.dumps({}))
    with pytest.raises(UsageError, match=r"a\.json: an annotation file cannot be given for common_semantic.*coco\)"):
        open_folder(tmp_path, "common_semantic_segmentation", tmp_path / "a.json")
    with pytest.raises(DataError, match=r"b\.json: no such annotation file"):
        open_folder(tmp_path, None, tmp_path / "b.json")


def test_nothing_heavy_is_imported_to_open_the_ordinary_format(tmp_path):
    common(tmp_path)
    code = (
        "import sys, pathlib\nfrom otx_seg.datasets.opening import open_folder\n"
        f"open_folder(pathlib.Path({str(tmp_path)!r}))\n"
        "print(sorted({'datumaro', 'torch', 'pycocotools'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
