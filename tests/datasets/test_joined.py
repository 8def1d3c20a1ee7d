"""Training images from several folders as one subset."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from data_layouts import WRITERS

from otx_seg.datasets import DataSpec, Fold, find_training, open_folder, open_training
from otx_seg.datasets.data_spec import FIRST, Addition
from otx_seg.datasets.joined import join, training_parts, with_additions
from otx_seg.errors import DataError


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """`write("a", labels, ["x"], value)`: a data set whose masks hold one value."""

    def written(folder: str, labels: list[str], names: list[str], value: int) -> Path:
        root = tmp_path / folder
        for kind in ("images", "masks"):
            (root / kind).mkdir(parents=True, exist_ok=True)
            for number, name in enumerate(names):
                filled = np.full((6, 8), value if kind == "masks" else 10 * number, np.uint8)
                cv2.imwrite(str(root / kind / f"{name}.png"), filled)
        meta = {"label_map": {str(index): name for index, name in enumerate(labels)}}
        (root / "dataset_meta.json").write_text(json.dumps(meta))
        return root

    return written


def test_each_mask_is_read_as_its_own_data_set_says(write: Callable[..., Path]) -> None:
    first = open_folder(write("a", ["background", "cat", "dog"], ["x", "y"], 2))["default"]
    added = Addition("b", write("b", ["background", "dog", "hen"], ["x", "z"], 1))
    third = Addition("c", write("c", ["background", "hen"], ["x"], 1))
    whole = pickle.loads(pickle.dumps(with_additions(first, [added, third]))).stamped()
    assert whole.labels.names == ("background", "cat", "dog", "hen")
    expected = ["b/images/x.png", "b/images/z.png", "c/images/x.png", "x.png", "y.png"]
    assert [sample.name for sample in whole.samples] == expected
    shown = {sample.name: set(np.unique(whole.read_mask(sample))) for sample in whole.samples}
    assert shown == {name: {3 if name.startswith("c") else 2} for name in shown}
    for sample in whole.samples:
        assert Path(sample.image).is_file()
        whole.check_pair(sample, whole.read_image(sample), whole.read_mask(sample))
    (third.root / "images" / "x.png").write_bytes(b"other")
    with pytest.raises(DataError, match=r"c/images/x\.png: was replaced"):
        whole.check_pair(whole.samples[2], np.zeros((6, 8, 3), np.uint8), np.zeros((6, 8), np.uint8))


def test_folders_of_one_name_are_told_apart(write: Callable[..., Path]) -> None:
    labels = ["background", "cat"]
    roots = [write(f"{place}/export", labels, ["x"], 1) for place in ("1", "2", "3")]
    first = open_folder(roots[0])["default"]
    whole = with_additions(first, [Addition("export", roots[1]), Addition("export-2", roots[2])])
    assert [sample.name for sample in whole.samples] == ["2/export/images/x.png", "3/export/images/x.png", "x.png"]
    with pytest.raises(DataError, match="name each folder once"):
        join([first, open_folder(roots[1])["default"], open_folder(roots[1])["default"]])


def test_what_is_left_out_is_not_trained_on(write: Callable[..., Path]) -> None:
    labels = ["background", "cat"]
    first = open_folder(write("a", labels, ["x", "y"], 1))["default"]
    one = Addition("b", write("b", labels, ["x", "y"], 1), left_out={"b": ("y.png",), FIRST: ("x.png",)})
    other = Addition("c", write("c", labels, ["x"], 1), left_out={"b": ("x.png",), "taken back": ("x.png",)})
    names = {
        part: [sample.name for sample in subset.samples] for part, subset in training_parts(first, [one, other]).items()
    }
    assert names == {FIRST: ["y.png"], "b": [], "c": ["x.png"]}
    assert [sample.name for sample in with_additions(first, [one, other]).samples] == ["c/images/x.png", "y.png"]


def test_two_backgrounds_are_refused(write: Callable[..., Path]) -> None:
    first = open_folder(write("a", ["background", "cat"], ["x"], 1))["default"]
    with pytest.raises(DataError, match=r"b: 'background' is the background .* label map"):
        with_additions(first, [Addition("b", write("b", ["_background_", "cat"], ["x"], 1))])


@pytest.mark.parametrize("layout", ["coco", "voc in colours", "labelme json", "yolo", "camvid", "label studio"])
def test_another_format_gives_the_same_masks(layout: str, written: Callable[[str], Path], tmp_path: Path) -> None:
    WRITERS["common"][1](tmp_path)
    plain = find_training(DataSpec(tmp_path)).train
    alone = find_training(DataSpec(written(layout))).train
    whole = find_training(DataSpec(tmp_path, added=(Addition("more", written(layout)),)))
    assert set(alone.labels.names) <= set(whole.train.labels.names)
    assert len(whole.train) == len(plain) + len(alone)
    by_path = {Path(sample.image).resolve(): sample for sample in whole.train.samples}
    for part in (plain, alone):
        for sample in part.samples:
            joined = whole.train.read_mask(by_path[Path(sample.image).resolve()])
            expected = part.read_mask(sample)
            number_of = np.array([whole.train.labels.names.index(name) for name in part.labels.names])
            assert np.array_equal(joined[expected != 255], number_of[expected[expected != 255]])
            assert (joined[expected == 255] == 255).all()


def test_the_images_to_validate_on_are_those_named(write: Callable[..., Path]) -> None:
    labels = ["background", "cat"]
    root = write("a", labels, ["u", "v", "w", "x"], 1)
    added = (Addition("b", write("b", ["background", "cat", "hen"], ["x", "y"], 2)),)
    spec = DataSpec(root, val_names=("v.png", "x.png"), added=added)
    data = open_training(spec, seed=5)
    assert data.val is not None
    assert [sample.name for sample in data.val.samples] == ["v.png", "x.png"]
    assert data.val.labels == data.train.labels
    assert [sample.name for sample in data.train.samples] == ["b/images/x.png", "b/images/y.png", "u.png", "w.png"]
    assert data.split == f"validation: 2 images of {root}, the same ones as before more data was added"
    # A fold is one of all images.
    assert len(find_training(spec, fold=Fold(1, 2)).train) == 6
    (root / "images" / "x.png").unlink()
    (root / "masks" / "x.png").unlink()
    with pytest.raises(DataError, match=r"1 of the 2 images to validate on are not there: x\.png; put them back"):
        find_training(spec)


def test_a_spec_survives_a_file(tmp_path: Path) -> None:
    added = (Addition("b", tmp_path / "b", "coco", tmp_path / "b.json", None, {"b": ("x.png",)}),)
    spec = DataSpec(tmp_path, val_names=("a.png",), added=added)
    assert DataSpec.from_plain(json.loads(json.dumps(spec.as_plain()))) == spec.resolved()
    assert DataSpec(tmp_path / "other").or_else(spec).added == added
