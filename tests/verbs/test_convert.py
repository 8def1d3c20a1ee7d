"""`otx convert` writes what it reads, resumes where it stopped, and leaves alone what is not its own."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from data_layouts import NAMES, WRITERS, common, painted, put, truth

from otx_seg.datasets import open_folder
from otx_seg.errors import DataError, OtxError, UsageError
from otx_seg.verbs.build import build
from otx_seg.verbs.convert import convert


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    root = tmp_path_factory.mktemp("coco")
    WRITERS["coco"][1](root)
    return root


@pytest.mark.parametrize("layout", WRITERS)
def test_what_is_written_is_what_was_read(layout, tmp_path):
    root, output = tmp_path / "data", tmp_path / "out" / "deep"
    root.mkdir()
    WRITERS[layout][1](root)
    steps = []
    result = convert(root, output, progress=lambda *step: steps.append(step))
    before, after = open_folder(root), open_folder(output, "common_semantic_segmentation")
    assert result.images == {name: len(subset) for name, subset in before.items()}
    assert after.keys() == before.keys()
    assert steps[-1] == (3, 3)
    for name, subset in before.items():
        assert after[name].labels == subset.labels
        for old, new in zip(subset.samples, after[name].samples, strict=True):
            np.testing.assert_array_equal(after[name].read_mask(new), subset.read_mask(old))
            assert Path(new.image).read_bytes() == Path(old.image).read_bytes()
    assert not (output / "conversion.json").exists()


def test_masks_are_plain_index_files_and_ignored_pixels_255(tmp_path):
    root = tmp_path / "data"
    common(root)
    mask = truth("im2")
    mask[0] = 255
    put(root / "val/masks/im2.png", mask)
    convert(root, tmp_path / "out")
    written = cv2.imread(str(tmp_path / "out/val/masks/im2.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(written, mask)
    assert json.loads((tmp_path / "out/dataset_meta.json").read_text())["label_map"]["2"] == NAMES[2]


def test_labels_in_black_and_white_are_read_back(tmp_path):
    put(tmp_path / "data/images/a.jpg", np.zeros((1, 3, 3), np.uint8))
    put(tmp_path / "data/masks/a.png", np.array([[0, 255, 255]], np.uint8))
    put(tmp_path / "data/images/b.jpg", np.zeros((1, 3, 3), np.uint8))
    put(tmp_path / "data/masks/b.png", np.zeros((1, 3), np.uint8))
    convert(tmp_path / "data", tmp_path / "out")
    subset = open_folder(tmp_path / "out")["default"]
    assert [subset.read_mask(sample)[0].tolist() for sample in subset.samples] == [[0, 1, 1], [0, 0, 0]]


def test_an_interrupted_conversion_goes_on(coco, tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(OtxError, match="interrupted; to resume, run the same command again"):
        convert(coco, tmp_path / "out", progress=interrupt)
    done = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    assert done
    with pytest.raises(UsageError, match=r"holds an interrupted conversion of .*, was read in another way, or held"):
        convert(coco, tmp_path / "out", data_format="coco")
    assert sum(convert(coco, tmp_path / "out").images.values()) == 3
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert len(open_folder(tmp_path / "out")["val"]) == 1


def test_a_conversion_of_other_files_does_not_go_on(tmp_path):
    """What is written already would keep the numbers of the labels as they were."""
    root = tmp_path / "data"
    for name, color in (("a", (0, 0, 255)), ("b", (0, 255, 0))):  # blue first
        put(root / f"images/{name}.jpg", np.zeros((1, 2, 3), np.uint8))
        put(root / f"masks/{name}.png", np.array([[(0, 0, 0), color]], np.uint8))
    (root / "labels.txt").write_text("background 0 0 0\ncat 255 0 0\n")
    with pytest.raises(DataError, match=r"b\.png: 1 of its 2 pixels have colours .*: \(0, 255, 0\)"):
        convert(root, tmp_path / "out")
    (root / "labels.txt").write_text("background 0 0 0\nbird 0 255 0\ncat 255 0 0\n")
    with pytest.raises(UsageError, match=r"held other files then; choose another --output, or empty it"):
        convert(root, tmp_path / "out")
    convert(root, tmp_path / "anew")
    subset = open_folder(tmp_path / "anew")["default"]
    assert [subset.read_mask(sample)[0].tolist() for sample in subset.samples] == [[0, 2], [0, 1]]


def test_folders_called_like_subsets_are_no_subsets_afterwards(tmp_path):
    root = tmp_path / "data"
    files = ["train/a.jpg", "val/b.jpg", "extra/c.jpg"]
    for file in files:
        put(root / "images" / file, np.zeros((4, 4, 3), np.uint8))
    content = {
        "images": [{"id": number, "file_name": file, "height": 4, "width": 4} for number, file in enumerate(files)],
        "annotations": [
            {"id": 1, "image_id": 0, "category_id": 1, "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]], "iscrowd": 0}
        ],
        "categories": [{"id": 1, "name": "cat"}],
    }
    (root / "all.json").write_text(json.dumps(content))
    before = convert(root, tmp_path / "out", data_format="coco", ann_files=root / "all.json").images
    (subset,) = open_folder(tmp_path / "out").values()
    assert len(subset) == sum(before.values()) == 3
    assert {sample.name for sample in subset.samples} == {"train_a.jpg", "val_b.jpg", "extra_c.jpg"}


def test_outputs_that_are_refused(coco, tmp_path):
    with pytest.raises(UsageError, match="a data folder, where nothing is written"):
        convert(coco, coco / "new")
    assert not (coco / "new").exists()
    (tmp_path / "mine.txt").touch()
    with pytest.raises(UsageError, match="is not empty; choose another --output"):
        convert(coco, tmp_path)
    with pytest.raises(UsageError, match="names a file"):
        convert(coco, tmp_path / "mine.txt")
    with pytest.raises(DataError):
        convert(tmp_path, tmp_path.with_name("never"))
    assert not tmp_path.with_name("never").exists()


def test_files_that_cannot_be_read_are_told_and_left_out(tmp_path, messages):
    root = tmp_path / "data"
    common(root)
    (root / "train/images/im0.png").write_text("no image")
    result = convert(root, tmp_path / "out")
    assert result.images == {"train": 1, "val": 1}
    assert "im0.png: not an image" in messages.text
    put(root / "train/masks/im1.png", painted(truth("im1")))
    with pytest.raises(DataError, match=r"im1\.png: mask colour"):
        convert(root, tmp_path / "other")


def test_a_workspace_is_converted_whole(tmp_path, monkeypatch):
    """Training and validation data in folders of their own become subsets of one data set."""
    whole = tmp_path / "whole"
    common(whole)
    for part in ("train", "val"):
        shutil.copytree(whole / part, tmp_path / part)
        shutil.copy(whole / "dataset_meta.json", tmp_path / part)
    build(tmp_path / "train", tmp_path / "val", workspace=tmp_path / "w")
    monkeypatch.chdir(tmp_path / "w")
    result = convert()
    assert result.output.parent == Path("outputs")
    assert result.output.name.endswith("_convert")
    before, after = open_folder(whole), open_folder(result.output)
    assert result.images == {name: len(subset) for name, subset in before.items()} == {"train": 2, "val": 1}
    for name, subset in before.items():
        for old, new in zip(subset.samples, after[name].samples, strict=True):
            np.testing.assert_array_equal(after[name].read_mask(new), subset.read_mask(old))


def test_a_refused_conversion_in_a_workspace_leaves_no_folder(tmp_path, monkeypatch):
    for part in ("train", "val"):
        common(tmp_path / part)  # with subsets of the same names
    build(tmp_path / "train", tmp_path / "val", workspace=tmp_path / "w")
    monkeypatch.chdir(tmp_path / "w")
    with pytest.raises(DataError, match=r"val: has a subset train, as .*; convert them separately, with --data-roots"):
        convert()
    assert not Path("outputs").exists()
    with pytest.raises(UsageError, match=r"--data-roots is missing"):
        convert(workspace="")
    with pytest.raises(UsageError, match=r"--ann-files describes the images in a folder: give --data-roots too"):
        convert(ann_files="any.json")


def test_a_conversion_in_a_workspace_that_fails_on_the_way_leaves_no_folder(tmp_path, monkeypatch):
    common(tmp_path / "data")
    put(tmp_path / "data/val/masks/im2.png", np.full_like(truth("im2"), 200))
    build(tmp_path / "data", workspace=tmp_path / "w")
    monkeypatch.chdir(tmp_path / "w")
    with pytest.raises(DataError, match=r"im2.png: .*200"):
        convert()
    assert list(Path("outputs").iterdir()) == []
