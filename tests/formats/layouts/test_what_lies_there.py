"""Folders that are no data sets: what is said of them, and what to do."""

import numpy as np
import pytest
from data_layouts import bare, put

from otx_seg.datasets import open_folder
from otx_seg.errors import DataError

IMAGE, MASK = np.zeros((2, 2, 3), np.uint8), np.eye(2, dtype=np.uint8)


def write(root, files):
    for name, _, text in (file.partition("=") for file in files):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".jpg", ".png"):
            put(path, IMAGE if path.suffix == ".jpg" else MASK)
        elif path.suffix:
            path.write_text(text or "?")
        else:
            path.mkdir()
    return root


ODD = {
    "nothing": ((), "there are no files in it; put images/ with images and masks/"),
    "empty folders": (("a/b",), "there are no files in it"),
    "an archive": (("data.zip",), r"no image that is read, but 1 \.zip file \(data\.zip\); unpack it"),
    "videos": (("a.mp4", "b.mp4"), r"2 \.mp4 files \(a\.mp4\); videos are not images: cut frames"),
    "volumes": (("imagesTr/a.nii.gz",), r"1 \.nii\.gz file \(imagesTr/a\.nii\.gz\); volumes are not read"),
    "tables": (("data/train-0.parquet",), r"1 \.parquet file .*; such files are not read: write images and masks"),
    "phone": (("a.heic",), r"1 \.heic file \(a\.heic\); these are not read: save them as PNG or JPEG"),
    "text": (("readme.txt", "licence"), r"no image in it, but 1 \.txt file \(readme\.txt\); name the folder"),
    "images alone": (("pics/a.jpg", "pics/b.jpg"), "2 images in pics, and no masks; put masks of the same names into"),
    "masks alone": (("masks/a.png",), "1 image in masks, and no images for these masks; put them into images/"),
    "classes": (("cat/a.jpg", "dog/b.jpg"), "2 images in cat, dog, and no masks; a folder for each class says what"),
    "two folders": (("in/a.jpg", "out/a.png"), "its folders in and out hold 1 image of the same names; .* call the"),
    "side by side": (("a.bmp", "a.tif"), r"a\.bmp and a\.tif lie side by side; .* add _mask to the names of masks"),
    "unknown JSON": (
        ("a.jpg", "a.json"),
        r"but 1 \.json file \(a\.json\) of a kind that is not known; export them as COCO",
    ),
    "archived masks": (("images/a.jpg", "m.7z"), r"no masks, but 1 \.7z file \(m\.7z\); .* unpack it into masks/"),
    "masks in a table": (("images/a.jpg", "m.h5"), r"1 \.h5 file \(m\.h5\); not read; .* save them as PNG in masks/"),
    "V7": (("images/a.jpg", 'r/a.json={"schema_ref"'), r"1 \.json file \(r/a\.json\) of V7 \(Darwin\); export"),
    "run lengths": (("train/a.jpg", "train.csv=id,EncodedPixels"), r"train\.csv\) with run lengths; write a PNG"),
    "a word more": (("a.jpg", "a_1stHO.png"), r"a\.jpg and a_1stHO\.png lie side by side; .* add _mask"),
    "masks of parts": (
        ("HQ-img/0.jpg", "HQ-anno/00_hair.png"),
        r"1 image in HQ-img, and 1 image in HQ-anno, but none belongs",
    ),
}


@pytest.mark.parametrize(("files", "message"), ODD.values(), ids=ODD)
def test_odd_folders(files, message, tmp_path):
    with pytest.raises(DataError, match=message) as caught:
        open_folder(write(tmp_path, files))
    assert len(str(caught.value)) < 500


def test_many_folders_are_not_listed(tmp_path):
    write(tmp_path, [f"c{number:02}/{number}.jpg" for number in range(30)])
    with pytest.raises(DataError, match="30 images in c00, c01, c02, c03, c04 and 25 more"):
        open_folder(tmp_path)


UNPAIRED = {
    "other names": (
        ("images/photo_0.jpg", "masks/segm0.png"),
        r"called like photo_0\.jpg, masks like segm0\.png: give each",
    ),
    "other suffix": (
        ("images/a.jpg", "masks/a.mat"),
        r"masks/ holds no masks: it has 1 \.mat file \(a\.mat\), which are not",
    ),
    "other folders": (("images/x/a.jpg", "masks/y/a.png"), r"x/a\.jpg and y/a\.png lie in folders of different names"),
    "no masks": (("images/a.jpg", "masks"), "masks/ holds no masks: the folder is empty"),
    "no images": (("images", "masks/a.png"), "no images; the folder is empty"),
}


@pytest.mark.parametrize(("files", "message"), UNPAIRED.values(), ids=UNPAIRED)
def test_images_without_any_mask(files, message, tmp_path):
    with pytest.raises(DataError, match=message):
        open_folder(write(tmp_path, files))


def test_a_data_set_deeper_below_is_pointed_at(tmp_path):
    bare(tmp_path / "a/b/c/d")
    with pytest.raises(DataError, match=rf"is not a data set, but a/b/c in it looks like .*: name {tmp_path}/a/b/c"):
        open_folder(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [("a.zip", "an archive, not a folder; unpack it"), ("a.jpg", "a file, not a folder; name the folder")],
)
def test_a_file_instead_of_a_folder(name, message, tmp_path):
    with pytest.raises(DataError, match=message):
        open_folder(write(tmp_path, [name]) / name)


def test_many_subsets_are_not_listed(tmp_path):
    from otx_seg.datasets.chosen_subset import choose_subset

    names = [f"p{number:02}" for number in range(65)]
    with pytest.raises(
        DataError, match="p09 and 55 more, expected train or default; give the path of one, or rename"
    ) as caught:
        choose_subset(tmp_path, names, ("train", "default"), "train on")
    assert "p10" not in str(caught.value)
