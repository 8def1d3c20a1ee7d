"""Label maps: how files of them are read, and what masks of every format are through one."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from data_layouts import COLORS, WRITERS, put, truth

from otx_seg.datasets import DataSpec, find_training, open_folder, open_test, open_unlabelled, scan
from otx_seg.datasets.label_map import LabelMap, read_label_map, through_map
from otx_seg.errors import DataError, OtxError, UsageError
from otx_seg.formats.cityscapes import all_labels, scored_labels
from otx_seg.formats.voc import _known_labels
from otx_seg.label_maps import shipped_label_maps

Written = Callable[[str], Path]

SWAPPED = LabelMap((("dog", "animal"), ("background", "floor"), ("cat", "ignore")), "swapped.yaml")
"""Renames, drops, and changes the order."""
MERGED = LabelMap((("background", "background"), ("cat", "pet"), ("dog", "pet")), "merged.yaml")


def as_file(folder: Path, text: str) -> Path:
    path = folder / "map.yaml"
    path.write_text(text, encoding="utf-8")
    return path


# ---------------------------------------------------------------------- files


def test_a_file(tmp_path: Path) -> None:
    text = "# labels\nwall: other\n'no': other\nsky: sky\n7: Himmel über\nröad: ignore\nfloor: sky\n"
    found = read_label_map(as_file(tmp_path, text))
    assert found.new_names[:4] == (("wall", "other"), ("no", "other"), ("sky", "sky"), ("7", "Himmel über"))
    assert found.names == ("other", "sky", "Himmel über")
    assert found.source == str(tmp_path / "map.yaml")
    # Written into a run folder, it is the same once more, and in its record.
    assert read_label_map(as_file(tmp_path, found.as_yaml())) == found
    again = LabelMap.from_plain(json.loads(json.dumps(found.as_plain())))
    assert (again, again.source) == (found, found.source)


def test_a_path_in_a_workspace(tmp_path: Path) -> None:
    as_file(tmp_path, MERGED.as_yaml())
    assert read_label_map("map.yaml", tmp_path) == MERGED
    with pytest.raises(UsageError, match=r"^w/data.yaml: data.label-map: map.yaml: no such file, and no label map"):
        read_label_map("map.yaml", tmp_path / "w", "w/data.yaml: data.label-map:")


def test_the_order_is_part_of_a_map_and_the_file_is_not() -> None:
    turned = LabelMap(MERGED.new_names[::-1], "merged.yaml")
    assert turned != MERGED
    assert LabelMap(MERGED.new_names, "elsewhere.yaml") == MERGED


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a label map \('old label: new label' or 'old label: ignore'\) is a mapping .*, this is NoneType"),
        ("- a\n- b\n", r"is a mapping of keys to values, this is list"),
        ("a: b\nc: d\na: e\n", r"the key a occurs twice, line 3"),
        ("a: [b]\nc: d\n", r"map.yaml: as a label map: .*\bb\b.* is no label; each line is 'old label: new label'"),
        ("a: {b: c}\nc: d\n", r"is no label; each line is"),
        ("a:\nc: d\n", r"a label is empty; each line is 'old label: new label'"),
        ("a: ''\nc: d\n", r"the name of label 0 is empty"),
        ("no: b\nc: d\n", r"YAML reads a label as .*False.* \(bool\); put its name into quotes"),
        ("a: 1.5\nc: d\n", r"YAML reads a label as .*1.5.* \(float\); put its name into quotes"),
        ("a: 2020-01-01\nc: d\n", r"\(date\); put its name into quotes"),
        ("1: a\n'1': b\n", r"the key 1 occurs twice"),
        (
            "a: Ignore\nb: c\nd: e\n",
            r"no label can be called 'Ignore': write ignore to ignore pixels, or choose another",
        ),
        ("a: b\nc: b\n", r"as a label map: leaves only the label .*b.*; a network needs at least two to tell apart"),
        ("a: ignore\n", r"leaves no label; a network needs at least two"),
        ('a: "b\\u0007"\nc: d\n', r"the name of label 0, .* has control characters"),
        ("a: b: c\n", r"is not valid YAML"),
        ("\n".join(f"l{n}: m{n}" for n in range(255)), r"gives 255 labels; at most 254 are possible"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, text: str, message: str) -> None:
    path = as_file(tmp_path, text)
    with pytest.raises(UsageError, match=message) as raised:
        read_label_map(path)
    assert str(raised.value).startswith(str(path))
    assert raised.value.exit_code == 2


def test_a_name_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^--label-map cityscape-19: no such file, .* .did you mean 'cityscapes-19'"):
        read_label_map("cityscape-19")
    with pytest.raises(UsageError, match=r"is a folder|cannot be read"):
        read_label_map(tmp_path)


# ---------------------------------------------------------------------- those that come with the program


def test_the_maps_that_come_with_the_program() -> None:
    assert {"ade20k-32", "cityscapes-7", "cityscapes-19", "coco-voc21"} <= set(shipped_label_maps())
    for name in shipped_label_maps():
        assert read_label_map(name).is_shipped
        assert name in read_label_map(name).source
    assert not MERGED.is_shipped


def test_cityscapes_has_the_labels_that_its_reader_gives() -> None:
    every, scored = list(all_labels()[0]), list(scored_labels()[0])
    for name in ("cityscapes-7", "cityscapes-19"):
        new = dict(read_label_map(name).new_names)
        assert set(new) == set(every)
        assert {old for old in new if new[old] != "ignore"} == set(scored)
    assert read_label_map("cityscapes-19").names == tuple(scored)
    assert read_label_map("cityscapes-7").names == (
        "flat",
        "construction",
        "object",
        "nature",
        "sky",
        "human",
        "vehicle",
    )


@pytest.mark.parametrize(
    ("kind", "values"), [("labelIds", [0, 7, 9, 8, 33, 25]), ("labelTrainIds", [255, 0, 255, 1, 18, 12])]
)
def test_cityscapes_as_categories(tmp_path: Path, kind: str, values: list[int]) -> None:
    # unlabeled, road, parking (not scored), sidewalk, bicycle, rider
    put(tmp_path / "leftImg8bit/train/b/b_leftImg8bit.png", np.zeros((1, 6, 3), np.uint8))
    put(tmp_path / f"gtFine/train/b/b_gtFine_{kind}.png", np.array([values], np.uint8))
    subset = open_folder(tmp_path, label_map=read_label_map("cityscapes-7"))["train"]
    assert subset.read_mask(subset.samples[0]).tolist() == [[255, 0, 255, 0, 6, 5]]


def test_cityscapes_with_a_list_of_all_labels(tmp_path: Path) -> None:
    put(tmp_path / "leftImg8bit/train/b/b_leftImg8bit.png", np.zeros((1, 4, 3), np.uint8))
    put(tmp_path / "gtFine/train/b/b_gtFine_labelIds.png", np.array([[0, 7, 9, 33]], np.uint8))
    every = all_labels()[0]
    (tmp_path / "labels.txt").write_text("".join(f"{name}\n" for name in every))
    assert len(open_folder(tmp_path)["train"].labels) == 34  # unlabeled is ignored by its name
    subset = open_folder(tmp_path, label_map=read_label_map("cityscapes-19"))["train"]
    assert subset.labels.names == tuple(scored_labels()[0])
    assert subset.read_mask(subset.samples[0]).tolist() == [[255, 0, 255, 18]]


def test_ade20k_as_32_labels(tmp_path: Path) -> None:
    found = read_label_map("ade20k-32")
    old = [name for name, new in found.new_names if new != "background"]
    old += [name for name, new in found.new_names if new == "background"]
    # From the list that comes with the data.
    assert len(old) == 150
    assert [old[number - 1] for number in (1, 2, 31, 32, 150)] == [
        "wall",
        "building, edifice",
        "armchair",
        "seat",
        "flag",
    ]
    assert max(old, key=len).startswith("computer, computing machine")
    lines = ["Idx\tRatio\tTrain\tVal\tName", *(f"{number}\t0.01\t9\t1\t{name}" for number, name in enumerate(old, 1))]
    (tmp_path / "objectInfo150.txt").write_text("\n".join(lines))
    put(tmp_path / "images/training/ADE_train_00000001.png", np.zeros((1, 6, 3), np.uint8))
    put(tmp_path / "annotations/training/ADE_train_00000001.png", np.array([[0, 1, 31, 32, 75, 150]], np.uint8))
    assert len(open_folder(tmp_path)["train"].labels) == 150
    subset = open_folder(tmp_path, label_map=found)["train"]
    assert subset.labels.names[:3] == ("background", "wall", "building")
    assert len(subset.labels) == 32
    assert subset.read_mask(subset.samples[0]).tolist() == [[255, 1, 31, 0, 0, 0]]


def test_coco_as_pascal_voc(tmp_path: Path) -> None:
    of_voc = [name for name in _known_labels()[0] if name != "ignored"]
    found = read_label_map("coco-voc21")
    assert list(found.names) == of_voc
    old = [name for name, _ in found.new_names if name != "background"]
    assert len(old) == 80
    # A couch (4 x 4 pixels) and a teddy bear beside it.
    boxes = {"couch": [0, 0, 4, 0, 4, 4, 0, 4], "teddy bear": [4, 0, 8, 0, 8, 4, 4, 4]}
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 6, "width": 8}],
        "categories": [{"id": number + 1, "name": name} for number, name in enumerate(old)],
        "annotations": [
            {"id": number, "image_id": 1, "category_id": old.index(name) + 1, "segmentation": [box], "area": 16}
            for number, (name, box) in enumerate(boxes.items())
        ],
    }
    put(tmp_path / "images/a.png", np.zeros((6, 8, 3), np.uint8))
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/instances_train.json").write_text(json.dumps(content))
    subset = open_folder(tmp_path, label_map=found)["train"]
    expected = np.zeros((6, 8), np.uint8)
    expected[:4, :4] = of_voc.index("sofa")
    np.testing.assert_array_equal(subset.read_mask(subset.samples[0]), expected)
    assert subset.labels.background == 0


# ---------------------------------------------------------------------- masks


@pytest.mark.parametrize("layout", WRITERS)
def test_every_format_is_read_through_a_map(layout: str, written: Written) -> None:
    plain, mapped = open_folder(written(layout)), open_folder(written(layout), label_map=SWAPPED)
    new_number = np.array([1, 255, 0], np.uint8)  # background is floor, cat is ignored, dog is animal
    for name, subset in mapped.items():
        assert subset.labels.names == ("animal", "floor")
        assert subset.labels.background == 1
        assert subset.samples == plain[name].samples
        assert subset.unmatched == plain[name].unmatched
        assert pickle.loads(pickle.dumps(subset)) == subset
        for sample in subset.samples:
            shown = re.search(r"im\d", sample.name)
            assert shown
            np.testing.assert_array_equal(subset.read_mask(sample), new_number[truth(shown[0])])
            subset.check_mask_size(sample, (16, 24))
            assert subset.mask_code.files_of(sample) == plain[name].mask_code.files_of(sample)
        report, before = scan(subset, threads=1), scan(plain[name], threads=1)
        assert report.pixels_per_label == (before.pixels_per_label[2], before.pixels_per_label[0])
        assert report.ignored_pixels == before.pixels_per_label[1]


def test_labels_that_are_merged_are_one(written: Written) -> None:
    subset = open_folder(written("common"), label_map=MERGED)["train"]
    assert (subset.labels.names, subset.labels.background) == (("background", "pet"), 0)
    for sample in subset.samples:
        np.testing.assert_array_equal(subset.read_mask(sample), truth(sample.name[:3]) > 0)


def test_a_new_label_has_the_colour_of_its_first_old_one(written: Written) -> None:
    assert open_folder(written("voc in colours"), label_map=MERGED)["train"].labels.colors == COLORS[:2]
    assert open_folder(written("voc in colours"), label_map=SWAPPED)["train"].labels.colors == (COLORS[2], COLORS[0])


@pytest.mark.parametrize(
    ("background", "new_names", "expected"),
    [
        (0, {"a": "a", "b": "background", "c": "c"}, 0),  # the data set says that a is the background
        (0, {"a": "ignore", "b": "b", "c": "background"}, 1),
        (0, {"a": "x", "b": "b", "c": "x"}, 0),
        (None, {"a": "a", "b": "b", "c": "c"}, None),
        (None, {"a": "a", "b": "BG", "c": "c"}, 1),
    ],
)
def test_the_background(
    dataset: Callable[..., Path], background: int | None, new_names: dict[str, str], expected: int | None
) -> None:
    meta: dict[str, object] = {"label_map": {"0": "a", "1": "b", "2": "c"}}
    if background is not None:
        meta["background_label"] = str(background)
    root = dataset(["x"], meta=meta)
    subset = through_map(open_folder(root)["default"], LabelMap(tuple(new_names.items())))
    assert subset.labels.background == expected


def test_a_background_by_name_comes_before_what_the_old_one_becomes(dataset: Callable[..., Path]) -> None:
    new_names = (("background", "other"), ("cat", "background"), ("dog", "dog"))
    subset = through_map(open_folder(dataset(["x"]))["default"], LabelMap(new_names))
    assert subset.labels.names == ("other", "background", "dog")
    assert subset.labels.background == 1


def test_labels_that_do_not_count_in_some_images_are_the_old_ones(dataset: Callable[..., Path]) -> None:
    """In x cat does not count, although dog, which is the same label now, does."""
    meta = {"label_map": {"0": "background", "1": "cat", "2": "dog"}, "ignored_labels": {"x.png": ["cat"]}}
    root = dataset(["w", "x", "y"], meta=meta)  # two rows of cat, dog, cat on background
    put(root / "masks/x.png", np.array([[0, 1, 2] + [0] * 5] * 6, np.uint8))
    subset = open_folder(root, label_map=MERGED)["default"]
    masks = [subset.read_mask(sample) for sample in subset.samples]
    assert masks[0][:3, 0].tolist() == [1, 1, 0]
    assert masks[1][0, :4].tolist() == [0, 255, 1, 0]


def test_masks_with_soft_edges_and_without_files(written: Written) -> None:
    """What the reader of a format counts and advises stays as it is."""
    plain, mapped = (open_folder(written("coco"), label_map=one)["train"] for one in (None, MERGED))
    assert mapped.mask_code.size_advice == plain.mask_code.size_advice
    assert mapped.mask_code.files_of(mapped.samples[0]) == ()


def test_masks_through_polygons_are_of_the_new_labels(written: Written) -> None:
    """A line of dog that divides a cat is no hole in a pet."""
    subset = open_folder(written("common"), label_map=MERGED)["val"].through_polygons()
    filled = truth("im2") > 0
    filled[5, 8] = True  # the hole of one pixel
    np.testing.assert_array_equal(subset.read_mask(subset.samples[0])[2:12, 5:14], filled[2:12, 5:14])


# ---------------------------------------------------------------------- labels that differ


@pytest.mark.parametrize(
    ("new_names", "message"),
    [
        (
            {"background": "a", "dog": "b", "catt": "ignore", "void": "ignore"},
            r"leaves out .*cat.*, and it names 'catt', which the data lacks .did you mean 'cat'.*; write",
        ),
        ({"background": "a", "dog": "b"}, r"it leaves out .*cat.*; write one line for each label of the data: 'old"),
        (
            {"background": "a", "catt": "b", "dog": "c"},
            r"leaves out .*cat.*, and it names .*catt.*, which the data lacks .did you mean 'cat'.*; write",
        ),
        (
            {"background": "a", "cat": "b", "dog": "c", "bird": "c"},
            r": it names .*bird.*, which the data lacks .known: backg",
        ),
    ],
)
def test_a_map_of_other_labels(written: Written, new_names: dict[str, str], message: str) -> None:
    root, label_map = written("common"), LabelMap(tuple(new_names.items()), "my.yaml")
    with pytest.raises(DataError, match=message) as raised:
        open_folder(root, label_map=label_map)
    assert str(raised.value).startswith(f"my.yaml: the label map does not fit the labels of {root / 'train'}: ")
    with pytest.raises(OtxError, match=message):
        find_training(DataSpec(root, label_map=label_map))


def test_what_is_not_there_may_be_ignored(written: Written) -> None:
    """Some formats leave labels out by themselves: void, unlabeled."""
    label_map = LabelMap((*MERGED.new_names, ("void", "ignore")))
    assert open_folder(written("common"), label_map=label_map)["train"].labels.names == ("background", "pet")


def test_test_data_may_show_some_of_the_labels(written: Written) -> None:
    root = written("common in the root")
    label_map = LabelMap((("bird", "bird"), *MERGED.new_names))
    subset = open_test(DataSpec(test_root=root, label_map=label_map))
    assert subset.labels.names == ("bird", "background", "pet")
    assert len(set(subset.labels.colors)) == 3
    np.testing.assert_array_equal(subset.read_mask(subset.samples[0]), 1 + (truth("im0") > 0))
    with pytest.raises(DataError, match=r"leaves out .*dog"):
        open_test(DataSpec(test_root=root, label_map=LabelMap(MERGED.new_names[:2])))


def test_images_without_masks_have_no_labels(written: Written) -> None:
    assert len(open_unlabelled(written("common"))) == 2  # whatever maps there are


def test_a_spec_in_plain_values(tmp_path: Path) -> None:
    spec = DataSpec.given("coco", as_file(tmp_path, MERGED.as_yaml()), test_root="a")
    assert spec.label_map == MERGED
    plain = json.loads(json.dumps(spec.as_plain()))
    assert DataSpec.from_plain(plain) == spec
    assert DataSpec.from_plain(DataSpec(Path("a")).as_plain()) == DataSpec(Path("a"))
    assert DataSpec(Path("a")).or_else(spec).label_map == MERGED
