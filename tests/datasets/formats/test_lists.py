"""Lists of files in data sets: as they come from other systems."""

import unicodedata

from data_layouts import by_datumaro, common_in_the_root, put, truth

from otx_seg.datasets import open_folder
from otx_seg.datasets.listed_paths import located
from otx_seg.datasets.opening import looks_like


def test_a_path_is_found_as_it_is_before_other_ways(tmp_path):
    for name in ("a.png", "x/a.png", "x/y/a.png", "ü.png"):
        put(tmp_path / name, truth("im0"))
    assert located(tmp_path, "x/y/a.png") == "x/y/a.png"
    assert located(tmp_path, "/data/x/a.png") == "x/a.png"
    assert located(tmp_path, r"D:\data\x\y\a.png") == "x/y/a.png"
    assert located(tmp_path, "../../z/a.png") == "a.png"
    assert located(tmp_path, unicodedata.normalize("NFD", "ü.png")) == "ü.png"
    assert located(tmp_path, "x/b.png") is None
    assert located(tmp_path, "..") is None
    (tmp_path / r"x\a.png").write_bytes(b"")
    assert located(tmp_path, r"x\a.png") == r"x\a.png"


def test_backslashes_in_a_list_of_camvid(tmp_path):
    by_datumaro("camvid")(tmp_path)
    for path in tmp_path.glob("*.txt"):
        if path.name != "label_colors.txt":
            path.write_text(path.read_text().replace("/", "\\"))
    assert looks_like(tmp_path) == ["camvid"]
    assert {name: len(subset) for name, subset in open_folder(tmp_path).items()} == {"train": 2, "val": 1}


def test_names_in_a_list_of_voc_in_another_spelling(tmp_path):
    by_datumaro("voc_segmentation")(tmp_path)
    for folder in ("JPEGImages", "SegmentationClass"):
        (tmp_path / folder / "im2.png").rename(tmp_path / folder / unicodedata.normalize("NFC", "größe.png"))
    listed = tmp_path / "ImageSets" / "Segmentation" / "val.txt"
    listed.write_text(unicodedata.normalize("NFD", "größe") + "\n", encoding="utf-8")
    assert len(open_folder(tmp_path)["val"]) == 1


def test_annotations_that_are_masks_are_not_those_of_labelme(tmp_path):
    common_in_the_root(tmp_path)
    (tmp_path / "dataset_meta.json").unlink()
    (tmp_path / "images").rename(tmp_path / "Images")
    (tmp_path / "masks").rename(tmp_path / "Annotations")
    assert looks_like(tmp_path) == ["image_and_mask_folders"]
    assert len(open_folder(tmp_path)["default"]) == 3
