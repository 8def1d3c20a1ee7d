import json
import os
import stat
import subprocess
import sys
import tracemalloc
import unicodedata
from functools import partial

import numpy as np
import pytest

from otx_seg.datasets import opening
from otx_seg.errors import DataError

open_folder = partial(opening.open_folder, data_format="common_semantic_segmentation")

META = {"label_map": {"0": "background", "1": "cat"}}


def names(subset):
    return [sample.name for sample in subset.samples]


def touch(root, *files):
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    if not (root / "dataset_meta.json").exists():
        (root / "dataset_meta.json").write_text(json.dumps(META))
    return root


def test_images_and_masks_in_the_root(dataset):
    root = dataset(["b", "a"])
    subset = open_folder(root)["default"]
    assert names(subset) == ["a.png", "b.png"]
    assert len(subset) == 2
    assert subset.labels.names == ("background", "cat", "dog")
    assert subset.labels.background == 0
    assert subset.unmatched == ()
    assert subset.root == root
    sample = subset.samples[1]
    assert (sample.image, sample.mask) == (f"{root}/images/b.png", f"{root}/masks/b.png")
    np.testing.assert_array_equal(subset.read_image(sample), np.zeros((6, 8, 3)))
    np.testing.assert_array_equal(subset.read_mask(sample), np.repeat([[1]] * 2 + [[0]] * 4, 8, axis=1))


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "val", "test"),
        ("training", "validation", "testing"),
        ("Train", "Validation", "Test"),
        ("TRAINING", "valid", "TEST"),
    ],
)
def test_subset_folders(dataset, train, val, test):
    dataset(["a", "b"], train)
    dataset(["c"], val)
    root = dataset(["d"], test)
    (root / "notes").mkdir()
    subsets = open_folder(root)
    assert {name: names(subset) for name, subset in subsets.items()} == {
        "train": ["a.png", "b.png"],
        "val": ["c.png"],
        "test": ["d.png"],
    }


def test_one_label_file_in_the_root_of_the_subsets(dataset):
    dataset(["a"], "train", meta=None)
    root = dataset(["b"], "val", meta=None)
    (root / "dataset_meta.json").write_text(json.dumps(META | {"label_map": {"0": "x", "1": "y", "2": "z"}}))
    assert {subset.labels.names for subset in open_folder(root).values()} == {("x", "y", "z")}


def test_two_folders_for_one_subset(dataset):
    dataset(["a"], "val")
    with pytest.raises(DataError, match="the folders val and valid both are the subset val"):
        open_folder(dataset(["b"], "valid"))


def test_subsets_inside_the_folders_of_images_and_masks(tmp_path):
    root = touch(tmp_path, "images/train/old/a.png", "masks/train/old/a.png", "images/val/a.png", "masks/val/a.png")
    touch(root, "images/test/c.png")
    meta = META | {"ignored_labels": {"train/old/*": ["cat"], "val/old/*": ["cat"]}}
    (root / "dataset_meta.json").write_text(json.dumps(meta))
    subsets = open_folder(root)
    assert {name: names(subset) for name, subset in subsets.items()} == {"train": ["old/a.png"], "val": ["a.png"]}
    assert tuple(map(str, subsets["train"].unmatched)) == ("1 image of no subset with masks: ../test",)
    assert subsets["train"].ignored_labels == {"old/a.png": ("cat",)}
    assert subsets["train"].root == root / "images" / "train"
    assert opening.looks_like(root) == ["common_semantic_segmentation"]


def test_a_subset_both_ways(tmp_path):
    root = touch(tmp_path, "images/val/a.png", "masks/val/a.png", "val/images/a.png", "val/masks/a.png")
    with pytest.raises(DataError, match="the folders images/val and val both are the subset val"):
        open_folder(root)


def test_nested_folders_do_not_collide(dataset):
    root = dataset(["one/a", "two/a", "a", "two/deep/er/a"])
    subset = open_folder(root)["default"]
    assert names(subset) == ["a.png", "one/a.png", "two/a.png", "two/deep/er/a.png"]
    values = [int(subset.read_image(sample).max()) for sample in subset.samples]
    assert values == [2, 0, 1, 3]
    assert [int(subset.read_mask(sample).max()) for sample in subset.samples] == [1, 1, 2, 2]


def test_suffixes_of_image_and_mask_may_differ(tmp_path):
    root = touch(tmp_path, "images/a.JPG", "masks/a.png", "images/b.x.tiff", "masks/b.x.PNG", "images/notes.txt")
    assert names(open_folder(root)["default"]) == ["a.JPG", "b.x.tiff"]


def test_names_in_other_scripts_pair_in_any_spelling(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "Größe é") for form in ("NFC", "NFD"))
    assert composed != decomposed
    root = touch(tmp_path, f"images/{composed}.jpg", f"masks/{decomposed}.png", "images/猫.png", "masks/猫.png")
    subset = open_folder(root)["default"]
    assert names(subset) == [f"{composed}.jpg", "猫.png"]
    assert subset.samples[0].mask.endswith(f"{decomposed}.png")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names themselves")
def test_a_name_that_is_not_utf8(tmp_path):
    root = touch(tmp_path, "images/a.png", "masks/a.png")
    (root / "images" / os.fsdecode(b"gr\xf6\xdfe.png")).touch()
    with pytest.raises(DataError, match="is not UTF-8; rename the file"):
        open_folder(root)


def test_hidden_files_are_passed_over(tmp_path):
    root = touch(tmp_path, "images/a.png", "masks/a.png", "images/._a.png", "images/.thumbs/b.png", "masks/.a.png.swp")
    subset = open_folder(root)["default"]
    assert names(subset) == ["a.png"]
    assert subset.unmatched == ()


def test_images_and_masks_without_partner_are_listed(tmp_path):
    root = touch(tmp_path, "images/a.png", "images/b.png", "masks/a.png", "masks/sub/c.png")
    subset = open_folder(root)["default"]
    assert names(subset) == ["a.png"]
    assert tuple(map(str, subset.unmatched)) == ("image without mask: b.png", "mask without image: sub/c.png")


def test_no_pair_at_all(tmp_path):
    root = touch(tmp_path, *(f"images/{i}.png" for i in range(7)), "masks/x.png")
    with pytest.raises(
        DataError, match=r"no image has a mask of the same name; images are called like 0\.png, masks like x\.png"
    ):
        open_folder(root)


def test_no_images(tmp_path):
    touch(tmp_path, "images/readme.txt", "masks/a.png")
    with pytest.raises(DataError, match=r"images: no images; it has 1 .txt file"):
        open_folder(tmp_path)


def test_no_masks_folder(tmp_path):
    with pytest.raises(DataError, match="and no masks; put masks of the same names into masks/"):
        open_folder(touch(tmp_path, "images/a.png"))


def test_no_label_file(dataset):
    with pytest.raises(DataError, match=r"dataset_meta\.json: the file is missing"):
        open_folder(dataset(["a"], meta=None))


def test_missing_folder(tmp_path):
    with pytest.raises(DataError, match="nowhere: no such folder"):
        open_folder(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file: a file, not a folder"):
        open_folder(tmp_path / "file")


def test_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match="there are no files in it; put images/ with images and masks/ with a mask"):
        open_folder(tmp_path)


@pytest.mark.parametrize("folder", ["images", "masks"])
def test_two_files_with_the_same_stem(tmp_path, folder):
    root = touch(tmp_path, "images/a.jpg", "masks/a.png", f"{folder}/a.bmp")
    with pytest.raises(DataError, match=rf"{folder}: (a\.bmp and a\.\w+|a\.\w+ and a\.bmp) have the same name but for"):
        open_folder(root)


def test_links_out_of_the_folder_are_followed(tmp_path):
    """Large files of DVC, git-annex and shared disks lie elsewhere."""
    files = ("store/1f", "pictures/b.png", "pictures/c/d.png", "masks/a.png", "masks/x/b.png", "masks/x/c/d.png")
    outside = touch(tmp_path / "outside", *files)
    (tmp_path / "root" / "images").mkdir(parents=True)
    root = touch(tmp_path / "root")
    (root / "images" / "a.png").symlink_to(outside / "store" / "1f")
    (root / "images" / "x").symlink_to(outside / "pictures")
    (root / "masks").symlink_to(outside / "masks")
    before = {path: path.stat().st_mtime_ns for path in outside.rglob("*")}
    assert names(open_folder(root)["default"]) == ["a.png", "x/b.png", "x/c/d.png"]
    assert {path: path.stat().st_mtime_ns for path in outside.rglob("*")} == before


def test_links_inside_the_root_and_to_the_root_work(tmp_path):
    root = touch(tmp_path / "root", "images/a.png", "masks/a.png", "store/b.png")
    (root / "images" / "b.png").symlink_to(root / "store" / "b.png")
    (root / "masks" / "b.png").symlink_to("../store/b.png")
    (tmp_path / "link").symlink_to(root)
    for path in (root, tmp_path / "link"):
        assert names(open_folder(path)["default"]) == ["a.png", "b.png"]


def test_links_in_a_circle_end(tmp_path):
    root = touch(tmp_path, "images/one/a.png", "images/two/b.png", "masks/one/a.png", "masks/two/b.png")
    (root / "images" / "one" / "up").symlink_to(root / "images")
    (root / "images" / "one" / "other").symlink_to(root / "images" / "two")
    (root / "images" / "two" / "other").symlink_to(root / "images" / "one")
    found = names(open_folder(root)["default"])
    assert found == ["one/a.png", "two/b.png"]


def test_a_read_only_folder_is_opened_and_left_alone(dataset):
    root = dataset(["a", "sub/b"])
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    for path in before:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    root.chmod(0o555)
    try:
        subset = open_folder(root)["default"]
        assert [subset.read_mask(sample).shape for sample in subset.samples] == [(6, 8), (6, 8)]
        assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    finally:
        for path in folders:
            path.chmod(0o755)


def test_a_folder_that_may_not_be_read(dataset):
    root = dataset(["a"])
    (root / "masks").chmod(0)
    try:
        if os.access(root / "masks", os.R_OK):
            pytest.skip("the administrator reads everything")
        with pytest.raises(DataError, match=r"masks/?: cannot be read \(Permission denied\)"):
            open_folder(root)
    finally:
        (root / "masks").chmod(0o755)


def test_memory_for_many_files(tmp_path):
    count = 2000
    stems = [f"recording_{i % 10:03d}/frame_{i:08d}" for i in range(count)]
    root = touch(tmp_path, *(f"images/{s}.jpg" for s in stems), *(f"masks/{s}.png" for s in stems))
    open_folder(root)  # imports what it needs
    tracemalloc.start()
    try:
        subset = open_folder(root)["default"]
        bytes_each = tracemalloc.get_traced_memory()[0] / count
    finally:
        tracemalloc.stop()
    assert len(subset) == count
    assert bytes_each < 500  # 1 KB is the limit set; long names need the rest


def test_opening_decodes_nothing_and_loads_neither_torch_nor_telemetry(dataset):
    root = dataset(["a"])
    (root / "images" / "a.png").write_bytes(b"never opened")
    code = (
        "import sys, pathlib, otx_seg.datasets.opening as opening; "
        f"print(len(opening.open_folder(pathlib.Path({str(root)!r}))['default'])); "
        "print(sorted({'openvino_telemetry.main', 'torch', 'datumaro'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["1", "[]"]
    assert done.stderr == ""


def test_camvid(camvid):
    subsets = open_folder(camvid)
    assert {name: len(subset) for name, subset in subsets.items()} == {"train": 367, "val": 101}
    labels = subsets["train"].labels
    assert (len(labels), labels.names[0], labels.names[-1], labels.background) == (12, "background", "bicyclist", 0)
    sample = subsets["train"].samples[0]
    assert subsets["train"].read_image(sample).shape == (360, 480, 3)
    assert set(np.unique(subsets["train"].read_mask(sample))) <= {*range(12)}
