import json
from pathlib import Path

import pytest

from otx_seg.datasets import DataSpec, Fold
from otx_seg.datasets.scan import scan
from otx_seg.datasets.split import find_training, open_test, open_training, split_training
from otx_seg.errors import DataError, UsageError


def names(subset):
    return [sample.name.removesuffix(".png") for sample in subset.samples]


def meta(*labels, **more):
    return {"label_map": {str(index): name for index, name in enumerate(labels)}, **more}


@pytest.fixture
def two_roots(dataset, tmp_path):
    """Two data sets of one layout each, as many users have them."""

    def write(train_meta, val_meta):
        dataset(["a", "b"], "A", train_meta)
        return dataset(["c"], "B", val_meta) / "A", tmp_path / "data" / "B"

    return write


def test_a_given_validation_root(two_roots):
    train_root, val_root = two_roots(meta("background", "x", "y"), meta("background", "x", "y"))
    data = open_training(DataSpec(train_root, val_root), seed=0)
    assert (names(data.train), names(data.val)) == (["a", "b"], ["c"])
    assert data.split == f"validation: 1 images of {val_root}, as given"


def test_the_right_subset_of_each_root_is_used(dataset):
    dataset(["a"], "train")
    dataset(["b"], "val")
    root = dataset(["c"], "test")
    data = open_training(DataSpec(root, root), seed=0)
    assert (names(data.train), names(data.val)) == (["a"], ["b"])
    assert data.split == f"validation: 1 images of the subset val in {root}, as given"
    assert names(open_test(DataSpec(test_root=root))) == ["c"]


@pytest.mark.parametrize("folder", ["val", "valid", "validation"])
def test_a_validation_subset_in_the_training_data(dataset, folder):
    dataset(["a", "b"], "train")
    root = dataset(["c"], folder)
    data = open_training(DataSpec(root), seed=0)
    assert (names(data.train), names(data.val)) == (["a", "b"], ["c"])
    assert data.split == f"validation: 1 images of the subset val in {root}"


def test_images_in_the_root_with_a_validation_folder(dataset):
    dataset(["a", "b"])
    data = open_training(DataSpec(dataset(["c"], "val")), seed=0)
    assert (names(data.train), names(data.val)) == (["a", "b"], ["c"])


def test_a_random_fifth_by_seed(dataset):
    root = dataset([f"{i:02d}" for i in range(20)])
    data = open_training(DataSpec(root), seed=3)
    assert (len(data.train), len(data.val)) == (16, 4)
    assert sorted(names(data.train) + names(data.val)) == [f"{i:02d}" for i in range(20)]
    assert names(data.train) == sorted(names(data.train))
    assert data.split == f"validation: 4 of the 20 images of {root}, split by label and seed 3"
    assert names(open_training(DataSpec(root), seed=3).val) == names(data.val)
    assert len({tuple(names(open_training(DataSpec(root), seed=seed).val)) for seed in range(5)}) == 5


@pytest.mark.parametrize(("share", "taken"), [(0.01, 2), (0.2, 4), (0.5, 10), (0.99, 18)])
def test_the_share_of_a_split(dataset, share, taken):
    # cat and dog are in every second image: both parts need two images
    data = find_training(DataSpec(dataset([f"{i:02d}" for i in range(20)])))
    report = scan(data.train)
    parts, train, val = split_training(data, report, Path("root"), seed=0, val_share=share)
    assert (len(parts.train), len(parts.val)) == (20 - taken, taken) == (train.images, val.images)
    assert all(train.pixels_per_label)
    assert all(val.pixels_per_label)


def test_a_split_with_many_rare_labels_says_why_it_is_larger(dataset):
    data = find_training(DataSpec(dataset(["a", "b", "c", "d"])))
    parts, _, _ = split_training(data, scan(data.train), Path("root"), seed=0, val_share=0.2)
    assert parts.split == (
        "validation: 2 of the 4 images of root, split by label and seed 0: more than 1, so that they show every label "
        "that several images have"
    )


def test_images_that_have_to_be_read_are_counted(dataset):
    counted = []
    root = dataset(["a", "b"])
    open_training(DataSpec(root), seed=0, progress=lambda *told: counted.append(told))
    assert counted == [("checking the training images", 1, 2), ("checking the training images", 2, 2)]
    open_training(DataSpec(root, root), seed=0, progress=lambda *_: pytest.fail("the masks are read"))


def test_two_images_give_one_each(dataset):
    data = open_training(DataSpec(dataset(["a", "b"])), seed=0)
    assert (len(data.train), len(data.val)) == (1, 1)


def test_images_that_cannot_be_decoded_are_left_out_of_a_split(dataset):
    root = dataset([f"{i:02d}" for i in range(10)])
    (root / "images" / "03.png").write_bytes(b"broken")
    data = open_training(DataSpec(root), seed=0)
    assert "03" not in names(data.train) + names(data.val)
    assert len(data.train) + len(data.val) == 9


def test_a_single_image(dataset, two_roots):
    root = dataset(["a"])
    with pytest.raises(DataError, match=r"a single image cannot be split .*give --val-data-roots"):
        open_training(DataSpec(root), seed=0)
    data = open_training(DataSpec(root, root), seed=0)
    assert names(data.train) == names(data.val) == ["a"]
    assert data.split.endswith("as given; these are also the training images, so the scores will be too high")


def test_a_broken_test_folder_does_not_stop_training(dataset):
    dataset(["a", "b"], "train")
    root = dataset(["c"], "val")
    (root / "test" / "images").mkdir(parents=True)
    assert len(open_training(DataSpec(root), seed=0).val) == 1
    with pytest.raises(DataError, match=r"test/images: no images"):
        open_test(DataSpec(test_root=root))


@pytest.mark.parametrize(
    ("train_meta", "val_meta", "difference"),
    [
        (meta("background", "x", "y"), meta("background", "x"), r"only in .*A: y"),
        (meta("background", "x"), meta("background", "x", "y", "z"), r"only in .*B: y, z"),
        (meta("background", "x"), meta("background", "X"), r"only in .*A: x; only in .*B: X"),
        (meta("x", "y"), meta("y", "x"), r"the order is x, y in .*A and y, x in .*B"),
        (meta("x", "y"), meta("x", "y", background_label="0"), "they name another background label"),
    ],
)
def test_labels_that_differ(two_roots, train_meta, val_meta, difference):
    train_root, val_root = two_roots(train_meta, val_meta)
    with pytest.raises(DataError, match=f"labels of the training and the validation data differ: {difference}"):
        open_training(DataSpec(train_root, val_root), seed=0)


def test_labels_that_differ_between_subset_folders(dataset):
    dataset(["a"], "train", meta("x", "y"))
    with pytest.raises(DataError, match="differ"):
        open_training(DataSpec(dataset(["b"], "val", meta("x", "z"))), seed=0)


def test_colours_may_differ(two_roots):
    with_colors = meta("background", "x", segmentation_colors=[[0, 0, 0], [9, 9, 9]])
    train_root, val_root = two_roots(meta("background", "x"), with_colors)
    data = open_training(DataSpec(train_root, val_root), seed=0)
    assert data.train.mask_code.colors == (None, None)
    assert data.val.mask_code.colors == ((0, 0, 0), (9, 9, 9))


def test_a_single_subset_of_any_name(dataset):
    root = dataset(["a", "b"], "2024-05")
    assert len(open_training(DataSpec(root), seed=0).train) == 1
    assert names(open_test(DataSpec(test_root=root))) == ["a", "b"]


def test_subsets_of_unknown_purpose(dataset):
    dataset(["a"], "monday")
    root = dataset(["b"], "tuesday")
    with pytest.raises(DataError, match=r"which subset to train on.* Found monday, tuesday, expected train or"):
        open_training(DataSpec(root), seed=0)
    with pytest.raises(DataError, match="which subset to evaluate on"):
        open_test(DataSpec(test_root=root))


def test_the_test_images_fall_back_to_validation(dataset):
    dataset(["a"], "train")
    root = dataset(["b"], "valid")
    assert names(open_test(DataSpec(test_root=root))) == ["b"]


def test_no_background_label_is_needed(dataset):
    data = open_training(DataSpec(dataset(["a", "b"], meta=meta("x", "y", "z"))), seed=0)
    assert data.train.labels.names == ("x", "y", "z")
    assert data.train.labels.background is None


def test_the_polygon_option_reaches_both_parts(dataset):
    root = dataset(["a", "b"])
    assert not open_training(DataSpec(root), seed=0).train.use_polygons
    data = open_training(DataSpec(root), seed=0, use_polygons=True)
    assert data.train.use_polygons
    assert data.val.use_polygons
    assert open_test(DataSpec(test_root=root), use_polygons=True).use_polygons


def test_camvid(camvid):
    data = open_training(DataSpec(camvid), seed=0)
    assert (len(data.train), len(data.val)) == (367, 101)
    assert json.dumps(names(data.val)[:1]) == '["0016E5_07959.jpg"]'


def test_folds_take_each_image_once(dataset):
    dataset([f"{i:02d}" for i in range(9)], "train")
    spec = DataSpec(dataset(["v"], "val"))
    parts = [open_training(spec, 3, fold=Fold(number, 4)) for number in range(1, 5)]
    assert sorted(name for part in parts for name in names(part.val)) == [f"{i:02d}" for i in range(9)]
    assert all(sorted(names(part.train) + names(part.val)) == [f"{i:02d}" for i in range(9)] for part in parts)
    assert parts[1].split.startswith(
        f"validation: {len(parts[1].val)} of the 9 images of {spec.train_root}, fold 2 of 4"
    )
    assert parts[1].split.endswith(f"divided by label and seed 3; the subset val in {spec.train_root} is not used")
    assert names(open_training(spec, 3, fold=Fold(2, 4)).val) == names(parts[1].val)
    with pytest.raises(UsageError, match=r"--folds 10: .* has 9 images to train on; give at most as many folds"):
        open_training(spec, 3, fold=Fold(1, 10))
