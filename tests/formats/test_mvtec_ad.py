"""Good images, and defects with masks."""

import numpy as np
import pytest
from data_layouts import put

from otx_seg.datasets import open_folder
from otx_seg.datasets.opening import looks_like
from otx_seg.errors import DataError

PICTURE = np.zeros((4, 6, 3), np.uint8)


@pytest.fixture
def mvtec(tmp_path):
    for name in ("train/good/000", "test/good/000", "test/crack/000", "test/dent/000", "test/dent/001"):
        put(tmp_path / f"{name}.png", PICTURE)
    for number, name in enumerate(("crack/000", "dent/000"), start=1):
        mask = np.zeros((4, 6), np.uint8)
        mask[number] = 255
        put(tmp_path / f"ground_truth/{name}_mask.png", mask)
    return tmp_path


def test_each_kind_of_defect_is_a_label_and_good_images_are_background(mvtec, messages):
    assert looks_like(mvtec) == ["mvtec_ad"]
    (subset,) = open_folder(mvtec).values()
    assert (subset.labels.names, subset.labels.background) == (("background", "crack", "dent"), 0)
    assert "defects: crack, dent; train/ and test/ are one subset, since train/ shows no defects" in messages.text
    masks = {sample.name: subset.read_mask(sample) for sample in subset.samples}
    expected = {name: np.zeros((4, 6)) for name in ("train/good/000.png", "test/good/000.png")}
    expected |= {f"test/{kind}/000.png": np.zeros((4, 6)) for kind in ("crack", "dent")}
    expected["test/crack/000.png"][1] = 1
    expected["test/dent/000.png"][2] = 2
    assert masks.keys() == expected.keys()
    for name, mask in masks.items():
        np.testing.assert_array_equal(mask, expected[name])
    assert [str(left) for left in subset.unmatched] == ["image without mask: test/dent/001.png"]


def test_several_masks_of_an_image_in_a_folder(mvtec):
    for number in range(2):
        mask = np.zeros((4, 6), np.uint8)
        mask[number * 3] = 255
        put(mvtec / f"ground_truth/dent/001/{number:03}.png", mask)
    (subset,) = open_folder(mvtec).values()
    sample = next(sample for sample in subset.samples if sample.name == "test/dent/001.png")
    assert subset.read_mask(sample)[:, 0].tolist() == [2, 0, 0, 2]


def test_without_masks(tmp_path):
    put(tmp_path / "train/good/000.png", PICTURE)
    with pytest.raises(DataError, match="no masks of defects; a data set as of MVTec AD has train/good/, test/crack/"):
        open_folder(tmp_path, "mvtec_ad")
