"""Which masks belong to an image, and what is done where it is not clear."""

import numpy as np
import pytest
from data_layouts import put

from otx_seg.datasets import open_folder
from otx_seg.errors import DataError
from otx_seg.formats.layouts.mask_names import kind_of, subset_word

PICTURE = np.zeros((1, 6, 3), np.uint8)


def opened(root):
    (subset,) = open_folder(root).values()
    return subset, {sample.name: subset.read_mask(sample)[0].tolist() for sample in subset.samples}


def write(root, files):
    for name, mask in files.items():
        put(root / f"{name}.png", PICTURE if mask is None else np.array([mask], np.uint8))
    return root


FIRST, SECOND, UNITED = [0, 1, 1, 1, 0, 0], [0, 0, 2, 0, 0, 2], [0, 1, 2, 1, 0, 2]


@pytest.mark.parametrize(
    "names", [("a_mask", "a_mask_1"), ("a_mask", "a_mask (2)"), ("a_GT", "a_GT-1"), ("a-Mask", "a-Mask2")]
)
def test_further_masks_beside_images_are_united_and_the_smaller_region_is_above(names, tmp_path, messages):
    subset, masks = opened(write(tmp_path, {"a": None, "b": None, names[0]: FIRST, names[1]: SECOND}))
    assert masks == {"a.png": UNITED}
    assert [str(left) for left in subset.unmatched] == ["image without mask: b.png"]
    assert subset.labels.names == ("label_0", "label_1", "label_2")
    assert "several masks of an image are united: of 1 image" in messages.text


@pytest.mark.parametrize("names", [("a", "a_1"), ("a_mask", "a_mask_1"), ("a_0", "a_1"), ("a_mask_0", "a_mask_1")])
def test_further_masks_in_their_folder(names, tmp_path):
    files = {"images/a": None, f"masks/{names[0]}": FIRST, f"masks/{names[1]}": SECOND}
    assert opened(write(tmp_path, files))[1] == {"a.png": UNITED}


def test_masks_of_different_sizes_are_not_united(tmp_path):
    subset, _ = opened(write(tmp_path, {"a": None, "a_mask": FIRST}))
    write(tmp_path, {"a_mask_1": [0, 1]})
    (subset,) = open_folder(tmp_path).values()
    with pytest.raises(DataError, match=r"a_mask_1\.png: has 2 x 1 pixels, another one of the same image 6 x 1"):
        subset.read_mask(subset.samples[0])


def test_numbers_at_the_end_of_names_of_images_are_theirs(tmp_path):
    subset, masks = opened(write(tmp_path, {"a": None, "a_1": None, "a_mask": FIRST, "a_1_mask": SECOND}))
    assert masks == {"a.png": FIRST, "a_1.png": SECOND}
    assert subset.unmatched == ()


@pytest.mark.parametrize("ending", ["_GT", "_gt", "_Segmentation", "_Mask", "-mask", "_groundTruth"])
@pytest.mark.parametrize("folders", [("", ""), ("images/", "masks/"), ("images/", "Ground Truth/"), ("imgs/", "GT/")])
def test_endings_in_any_case(ending, folders, tmp_path):
    files = {f"{folders[0]}a": None, f"{folders[1]}a{ending}": FIRST}
    assert opened(write(tmp_path, files))[1] == {"a.png": FIRST}


@pytest.mark.parametrize(
    ("image", "mask"), [("image_7", "mask_7"), ("img-7", "label-7"), ("7_image", "7_mask"), ("IMG_7", "7_seg")]
)
def test_words_in_the_names_of_both(image, mask, tmp_path):
    assert opened(write(tmp_path, {f"images/{image}": None, f"masks/{mask}": FIRST}))[1] == {f"{image}.png": FIRST}


def test_outlines_by_hand_beside_masks_of_something_else_are_seen(tmp_path):
    """As in DRIVE, where mask/ shows the field of view and 1st_manual/ the vessels."""
    files = {"training/images/21_training": None, "training/1st_manual/21_manual1": FIRST}
    assert opened(write(tmp_path, files))[1] == {"21_training.png": FIRST}
    write(tmp_path, {"training/mask/21_training_mask": SECOND})
    with pytest.raises(DataError, match=r"two folders of masks fit, training/1st_manual .* and training/mask"):
        open_folder(tmp_path)


PUBLIC = {
    "FloodNet": ("train/train-org-img/{}.jpg", "train/train-label-img/{}_lab.png"),
    "ISIC": (
        "ISIC2018_Task1-2_Training_Input/ISIC_{}.jpg",
        "ISIC2018_Task1_Training_GroundTruth/ISIC_{}_segmentation.png",
    ),
    "Potsdam": ("2_Ortho_RGB/top_{}_RGB.tif", "5_Labels_all/top_{}_label.tif"),
    "Vaihingen": ("top/top_area{}.tif", "gts_for_participants/top_area{}.tif"),
    "Oxford pets": ("images/Abyssinian_{}.jpg", "annotations/trimaps/Abyssinian_{}.png"),
    "Cityscapes in mmseg": ("img_dir/val/aachen/{}_leftImg8bit.png", "ann_dir/val/aachen/{}_gtFine_labelTrainIds.png"),
    "CamVid in fastai": ("images/0001TP_{}.png", "labels/0001TP_{}_P.png"),
    "DeepCrack": ("train_img/{}.jpg", "train_lab/{}.png"),
    "ORFD": ("training/image_data/{}.png", "training/gt_image/{}_fillcolor.png"),
    "microscopes": ("images/{}.ome.tif", "masks/{}.png"),
    "DeepGlobe": ("train/{}_sat.jpg", "train/{}_mask.png"),
    "FSS-1000": ("wheel/{}.jpg", "wheel/{}.png"),
    "GlaS": ("train_{}.bmp", "train_{}_anno.bmp"),
}


@pytest.mark.parametrize(("image", "mask"), PUBLIC.values(), ids=PUBLIC)
def test_names_of_public_data(image, mask, tmp_path):
    for number, values in (("7", FIRST), ("12", SECOND)):
        put(tmp_path / image.format(number), PICTURE)
        put(tmp_path / mask.format(number), np.array([values], np.uint8))
    _, masks = opened(tmp_path)
    assert [masks[name] for name in sorted(masks, key=len)] == [FIRST, SECOND]


def test_names_that_differ_by_other_words_are_not_paired(tmp_path):
    write(tmp_path, {"images/1_left": None, "images/2_left": None, "masks/1_right": FIRST, "masks/2_right": FIRST})
    with pytest.raises(DataError, match=r"images are called like 1_left\.png, masks like 1_right\.png"):
        open_folder(tmp_path)


def test_two_kinds_of_masks_that_differ_by_words_are_refused(tmp_path):
    """As in CWFID, and in Cityscapes whose folders were renamed."""
    files = {
        "img/1_rgb": None,
        "img/2_rgb": None,
        "ann/1_gt_ids": FIRST,
        "ann/1_gt_color": FIRST,
        "ann/2_gt_ids": FIRST,
    }
    with pytest.raises(DataError, match=r"two masks fit 1_rgb\.png: 1_gt_color\.png and 1_gt_ids\.png"):
        open_folder(write(tmp_path / "endings", files))
    files = {"images/1_image": None, "masks/1_mask": FIRST, "annotations/1_annotation": FIRST}
    with pytest.raises(DataError, match=r"two folders of masks fit, annotations \(1 pairs\) and masks \(1\)"):
        open_folder(write(tmp_path / "folders", files))


@pytest.mark.parametrize("second", ["annotations", "labels", "GT"])
def test_two_folders_of_masks_that_fit_are_refused(second, tmp_path):
    write(tmp_path, {"images/a": None, "masks/a": FIRST, f"{second}/a": SECOND})
    first, last = sorted(("masks", second))
    with pytest.raises(
        DataError,
        match=rf"two folders of masks fit, {first} \(1 pairs\) and {last} \(1\); keep the one .* to {last}_unused, say",
    ):
        open_folder(tmp_path)
    (tmp_path / second / "a.png").rename(tmp_path / second / "z.png")
    assert opened(tmp_path)[1] == {"a.png": FIRST}  # only one fits
    (tmp_path / second / "z.png").rename(tmp_path / second / "z.txt")
    assert opened(tmp_path)[1] == {"a.png": FIRST}


def test_two_folders_of_images_that_fit_are_refused(tmp_path):
    write(tmp_path, {"images/a": None, "img/a": None, "masks/a": FIRST})
    with pytest.raises(DataError, match=r"two folders of images fit, im.* and im"):
        open_folder(tmp_path)


@pytest.mark.parametrize("folders", [("", ""), ("images/", "masks/")])
def test_two_kinds_of_masks_are_refused(folders, tmp_path):
    write(tmp_path, {f"{folders[0]}a": None, f"{folders[1]}a_mask": FIRST, f"{folders[1]}a_seg": SECOND})
    with pytest.raises(DataError, match=r"two masks fit a\.png: a_mask\.png and a_seg\.png; which to learn from\?"):
        open_folder(tmp_path)


@pytest.mark.parametrize(
    ("folder", "subset", "kind"),
    [
        ("train_images", "train", "images"),
        ("trainannot", "train", "masks"),
        ("masks-val", "val", "masks"),
        ("Validation", "validation", ""),
        ("training labels", "training", "masks"),
        ("test_ground_truth", "test", "masks"),
        ("TrainVal_parsing_annotations", "", "masks"),
        ("ISIC2018_Task1-2_Training_Input", "training", "images"),
        ("ISIC-2017_Training_Part1_GroundTruth", "training", "masks"),
        ("train-org-img", "train", "images"),
        ("train-label-img", "train", "masks"),
        ("2_Ortho_RGB", "", "images"),
        ("5_Labels_all", "", "masks"),
        ("groundtruths", "", "masks"),
        ("groundTruthPngImg", "", "masks"),
        ("Semantic_masks", "", "masks"),
        ("PNGImages", "", "images"),
        ("gtFine", "", "masks"),
        ("1st_manual", "", "masks"),
        ("imgdir", "", "images"),
        ("masks_unused", "", ""),
        ("trains", "", ""),
        ("testimony_masks", "", "masks"),
        ("Unlabeled", "", ""),
        ("2019", "", ""),
    ],
)
def test_words_in_the_names_of_folders(folder, subset, kind):
    assert (subset_word(folder), kind_of(folder)) == (subset, kind)
