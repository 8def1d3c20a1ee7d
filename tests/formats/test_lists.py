"""Lists of files in data sets: as they come from other systems."""

import unicodedata

import pytest
from data_layouts import ade20k, by_datumaro, common_in_the_root, mapillary, put, truth

from otx_seg.annotations.listed_paths import located
from otx_seg.datasets import open_folder
from otx_seg.datasets.opening import looks_like
from otx_seg.errors import DataError


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
    assert located(tmp_path, r"x\y\a.PNG") == "x/y/a.png"
    put(tmp_path / "B.PNG", truth("im0"))
    assert located(tmp_path, "B.png") == "B.PNG"
    assert located(tmp_path, "b.png") is None
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


def test_images_and_lists_of_voc_in_folders_and_masks_without_images(tmp_path):
    """As CVAT writes masks of images that lay in folders, and without images."""
    by_datumaro("voc_segmentation")(tmp_path)
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        inside = tmp_path / folder / "x"
        inside.mkdir()
        for path in (tmp_path / folder).glob("*.*"):
            path.rename(inside / path.name)
    for path in (tmp_path / "ImageSets/Segmentation/x").iterdir():
        path.write_text("".join(f"x/{line}\n" for line in path.read_text().split()))
    assert {name: len(subset) for name, subset in open_folder(tmp_path).items()} == {"train": 2, "val": 1}
    (tmp_path / "SegmentationClass").rename(tmp_path / "SegmentationClassContext")
    with pytest.raises(DataError, match=r"if SegmentationClassContext/ holds the masks, call it SegmentationClass$"):
        open_folder(tmp_path)
    (tmp_path / "SegmentationClassContext").rename(tmp_path / "SegmentationClass")
    (tmp_path / "JPEGImages").rename(tmp_path / "elsewhere")
    with pytest.raises(
        DataError, match=r"SegmentationClass/ holds masks, and there is no folder JPEGImages with their"
    ):
        open_folder(tmp_path)


def test_annotations_that_are_masks_are_not_those_of_labelme(tmp_path):
    common_in_the_root(tmp_path)
    (tmp_path / "dataset_meta.json").unlink()
    (tmp_path / "images").rename(tmp_path / "Images")
    (tmp_path / "masks").rename(tmp_path / "Annotations")
    assert looks_like(tmp_path) == ["image_and_mask_folders"]
    assert len(open_folder(tmp_path)["default"]) == 3


@pytest.mark.parametrize(
    "color", ["²,0,0", "256,0,0", "-1,0,0", "1,2", "a,b,c", "٣,0,0", "1_0,0,0", "1e400,0,0", "9" * 5000]
)
def test_colours_in_a_list_of_voc_that_are_none(tmp_path, color):
    by_datumaro("voc_segmentation")(tmp_path)
    path = tmp_path / "labelmap.txt"
    path.write_text(path.read_text() + f"bird:{color}::\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"labelmap\.txt: 'bird:.* is no label.*; expected is name:red,green,blue::"
    ) as told:
        open_folder(tmp_path)
    assert len(str(told.value)) < 500


@pytest.mark.parametrize("number", ["²", "-1", "99999", "1.5", "1e400", "1"])
def test_numbers_of_objects_of_ade20k_that_are_none(tmp_path, number):
    ade20k(tmp_path, 2017)
    path = tmp_path / "train/street/corner/im0_atr.txt"
    path.write_text(path.read_text() + f'{number} # 0 # 0 # x # bird # ""\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"im0_atr\.txt: ('.*bird.*' is no object|object 1 occurs twice)"):
        open_folder(tmp_path)


@pytest.mark.parametrize("number", ["-1", "99999", "1.5", '"²"', "1e400", "[]"])
def test_numbers_of_classes_of_ade20k_that_are_none(tmp_path, number):
    ade20k(tmp_path, 2020)
    path = tmp_path / "train/street/corner/im0.json"
    path.write_text(path.read_text().replace("2000", number), encoding="utf-8")
    with pytest.raises(DataError, match=r"im0\.json: unusable \(ValueError: name_ndx is "):
        open_folder(tmp_path)


@pytest.mark.parametrize("color", ["[1, 2]", "[1, 2, 256]", '[1, 2, "²"]', "7", "[1, 2, 1e400]"])
def test_colours_of_mapillary_vistas_that_are_none(tmp_path, color):
    mapillary(tmp_path)
    path = tmp_path / "config_v2.0.json"
    path.write_text(path.read_text().replace("[255, 0, 0]", color), encoding="utf-8")
    with pytest.raises(DataError, match=r"config_v2\.0\.json: unusable \("):
        open_folder(tmp_path)
