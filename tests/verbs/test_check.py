"""`check`: what is said about data with known faults, subset by subset."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_layouts import SUBSET_OF, UNDIVIDED, WRITERS
from PIL import Image

from otx_seg.configuration.facts import MachineFacts
from otx_seg.datasets import DataSpec
from otx_seg.datasets.check.data_check import DataCheck
from otx_seg.datasets.check.problems import Problem
from otx_seg.errors import DataError, UsageError
from otx_seg.inputs.check_sources import Source, Sources
from otx_seg.training.setup.auto_configuration import configure
from otx_seg.training.setup.data import check_data, open_data
from otx_seg.training.setup.plan import Request, make_plan
from otx_seg.verbs.check import check, inspect_data

NAMES = ("background", "cat", "dog")
IMAGES = 6
SIDE = 64


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """``train`` and ``val`` with 6 different images each, whose masks show a cat and a dog of 32 x 16 pixels."""
    for number, subset in enumerate(("train", "val")):
        for image in range(IMAGES):
            write(tmp_path / "data" / subset, f"{image}", drawn(), IMAGES * number + image)
        meta = {"label_map": {str(index): name for index, name in enumerate(NAMES)}}
        (tmp_path / "data" / subset / "dataset_meta.json").write_text(json.dumps(meta))
    return tmp_path / "data"


def drawn(*labels: int) -> np.ndarray:
    """A mask with a region of 32 x 16 pixels for each label."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for number, label in enumerate(labels or (1, 2)):
        mask[8:40, 8 + 24 * number : 24 + 24 * number] = label
    return mask


def write(folder: Path, name: str, mask: np.ndarray, seed: int) -> None:
    for kind, pixels in (
        ("images", np.random.default_rng(seed).integers(0, 256, (*mask.shape, 3), np.uint8)),
        ("masks", mask),
    ):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / kind / f"{name}.png")


def found(result: DataCheck) -> dict[str, Problem]:
    """The problems by code, each of which occurs once."""
    by_code = {problem.code: problem for problem in result.problems}
    assert len(by_code) == len(result.problems), result.problems
    return by_code


def only(result: DataCheck) -> Problem:
    assert len(result.problems) == 1, result.problems
    return result.problems[0]


def test_sound_data(data: Path) -> None:
    result = check(data)
    assert result.problems == ()
    assert (result.usable_for, result.verdict) == ("training", "usable for training")
    train, val = result.subsets
    assert (train.name, val.name, train.samples, train.images) == ("train", "val", IMAGES, IMAGES)
    assert train.sizes == (((SIDE, SIDE), IMAGES),)
    cat = train.labels[1]
    assert (cat.name, cat.pixels, cat.images) == ("cat", 512 * IMAGES, IMAGES)
    assert cat.share == pytest.approx(512 / SIDE**2)
    assert result.input_size == (SIDE, SIDE)
    assert cat.typical_extent == pytest.approx(2 / (1 / 32 + 1 / 16))  # harmonic mean of its sides
    assert train.data_format == "Common Semantic Segmentation"


@pytest.mark.parametrize("layout", WRITERS)
def test_every_layout(layout: str, written: Any) -> None:
    root = written(layout)
    result = check(root)
    counts = {subset.name: subset.images for subset in result.subsets}
    assert counts == ({"default": 3} if layout in UNDIVIDED else {"train": 2, "val": 1}), result.problems
    assert result.usable_for == "training", result.problems
    assert sum(counts.values()) == len(SUBSET_OF)


def test_json_holds_all_of_it(data: Path) -> None:
    (data / "val" / "masks" / "3.png").unlink()
    told = json.loads(json.dumps(check(data).as_json()))
    assert list(told) == ["verdict", "usable_for", "input_size", "label_map", "subsets", "problems", "page"]
    assert told["input_size"] == "64x64"
    assert told["subsets"][0]["labels"][1]["typical_extent"] == pytest.approx(21.33, abs=0.01)
    ceilings = told["subsets"][0]["labels"][1]["ceilings"]
    assert list(ceilings) == ["8", "4", "2"]
    assert 0.9 < ceilings["8"] < ceilings["4"] < ceilings["2"] <= 1  # its corners are rounded
    assert told["subsets"][1]["labels"][1]["ceilings"] == {}
    assert told["subsets"][0]["sizes"] == [{"height": SIDE, "width": SIDE, "images": IMAGES}]
    assert told["subsets"][0]["labels"][2]["images"] == IMAGES
    assert told["problems"] == [
        {
            "severity": "warning",
            "code": "unmatched_files",
            "subset": "val",
            "what": "1 file without partner",
            "advice": "give each image a mask of its name, or annotate it; until then they are skipped",
            "files": [{"path": str(data / "val" / "images" / "3.png"), "note": "image without mask"}],
        }
    ]


def test_subsets_that_lie_apart_are_compared(data: Path) -> None:
    shutil.move(data / "val", data.parent / "other")
    shutil.copy(data / "train" / "images" / "2.png", data.parent / "other" / "images" / "5.png")
    result = check([data / "train", data.parent / "other"])
    assert [subset.name for subset in result.subsets] == ["train", "default"]
    leak = only(result)
    assert (leak.code, leak.severity) == ("images_in_several_subsets", "warning")
    assert leak.what == "1 image is in train and in default"
    assert leak.files[0].path.endswith("train/images/2.png")
    assert leak.files[0].note.endswith("other/images/5.png")
    assert result.verdict == "usable for training, with 1 warning"


@pytest.mark.parametrize("layout", ["coco", "voc in numbers", "subsets in folders"])
def test_subsets_that_share_their_folders(tmp_path: Path, layout: str) -> None:
    WRITERS[layout][1](tmp_path / "data")
    result = check(tmp_path / "data")
    assert [(subset.name, subset.samples) for subset in result.subsets] == [("train", 2), ("val", 1)]
    assert result.usable_for == "training"


def test_files_of_annotations(drawn_data: Path, drawn_as_coco: dict[str, Path]) -> None:
    files = {"val_ann_files": drawn_as_coco["val"], "train_ann_files": drawn_as_coco["train"]}
    apart = check([drawn_data, drawn_data / "val" / ".."], **files)
    together = check(drawn_data, **files)
    for result in (apart, together):
        assert [(subset.kind, subset.samples, subset.data_format) for subset in result.subsets] == [
            ("train", 8, "COCO"),
            ("val", 2, "COCO"),
        ]
        assert [label.pixels for label in result.subsets[0].labels] == [
            label.pixels for label in check(drawn_data).subsets[0].labels
        ]
    # Images that are described twice are found as those of two folders are.
    leaking = check(drawn_data, train_ann_files=drawn_as_coco["train"], test_ann_files=copied(drawn_as_coco["train"]))
    assert "images_in_several_subsets" in [problem.code for problem in leaking.problems]


def test_what_annotations_say_wrongly_is_put_right_in_them(
    drawn_data: Path, drawn_as_coco: dict[str, Path], tmp_path: Path
) -> None:
    content = json.loads(drawn_as_coco["train"].read_text())
    first = content["images"][0]
    first |= {"width": 9, "height": 9}
    content["annotations"] = [one for one in content["annotations"] if one["image_id"] != first["id"]]
    content["images"][1]["file_name"] = "lost.jpg"
    (tmp_path / "train.json").write_text(json.dumps(content))
    problems = found(check(drawn_data, train_ann_files=tmp_path / "train.json"))
    assert problems["missing_files"].what == "1 file that the annotations name cannot be used"
    assert "correct the annotations" in problems["missing_files"].advice
    assert [Path(file.path).name for file in problems["missing_files"].files] == ["lost.jpg"]
    assert problems["mask_sizes"].advice.startswith("correct the size of the image there")


def copied(file: Path) -> Path:
    return shutil.copy(file, file.with_name("again.json"))


def test_files_of_annotations_that_are_misused(data: Path, drawn_data: Path, drawn_as_coco: dict[str, Path]) -> None:
    train, val = drawn_as_coco["train"], drawn_as_coco["val"]
    with pytest.raises(
        UsageError, match=r"--train-ann-files, --test-ann-files: give --data-roots once, .* or once for"
    ):
        check([drawn_data, data, data / "val"], train_ann_files=train, test_ann_files=val)
    with pytest.raises(UsageError, match=r"train.json: is named twice in the annotation files"):
        check(drawn_data, train_ann_files=train, val_ann_files=train)
    with pytest.raises(DataError, match=r"none.json: no such annotation file"):
        check(drawn_data, val_ann_files="none.json")
    problem = only(check(data, train_ann_files=train))
    assert (problem.severity, problem.code, problem.subset) == ("error", "cannot_be_opened", "train")


def test_all_masks_with_faults_are_listed(data: Path) -> None:
    for number in (0, 1, 2, 3):
        write(data / "train", f"{number}", drawn(1, 2, 9)[: SIDE - 1] if number == 3 else drawn(9), number)
    write(data / "train", "4", drawn(), 4)
    Image.fromarray(drawn()[:5]).save(data / "train" / "masks" / "4.png")
    result = check(data)
    problems = found(result)
    assert result.usable_for is None
    assert result.verdict == "not usable: 2 errors"
    values = problems["unknown_mask_values"]
    assert [Path(note.path).name for note in values.files] == ["0.png", "1.png", "2.png", "3.png"]
    assert "masks" in values.files[0].path
    assert values.files[0].note == "mask value 9 (512 pixels) is no label"
    assert values.advice.startswith("allowed are 0 background, 1 cat, 2 dog and 255 (ignored); correct the mask")
    sizes = problems["mask_sizes"]
    assert [Path(note.path).name for note in sizes.files] == ["4.png"]
    assert sizes.files[0].note == "the mask has 64 x 5 pixels, its image 4.png has 64 x 64"
    assert sizes.advice == "save the mask at the image's size"
    assert result.subsets[0].images == 1


def test_unreadable_files_are_left_out_unless_all_are(data: Path) -> None:
    (data / "train" / "images" / "0.png").write_bytes(b"text")
    (data / "train" / "masks" / "1.png").write_bytes((data / "train" / "masks" / "1.png").read_bytes()[:40])
    result = check(data)
    damaged = found(result)["unreadable_files"]
    assert damaged.severity == "warning"
    assert [note.path.rsplit("/", 2)[1] for note in damaged.files] == ["images", "masks"]
    assert damaged.files[0].note.startswith("not an image")
    for path in (data / "train" / "images").iterdir():
        path.write_bytes(b"text")
    broken = check(data)
    assert found(broken)["unreadable_files"].severity == "error"
    assert broken.usable_for is None


@pytest.mark.parametrize(
    ("images_with_dog", "side", "code", "text"),
    [
        (0, 0, "absent_labels", "dog"),
        (4, 16, "labels_in_few_images", "dog (4 images)"),
        (6, 0, "labels_with_few_pixels", "dog (0.0"),
    ],
)
def test_labels_that_are_hardly_there(data: Path, images_with_dog: int, side: int, code: str, text: str) -> None:
    for number in range(IMAGES):
        mask = np.zeros((200, 200), np.uint8)
        mask[:100] = 1
        if number < images_with_dog:
            mask[150 : 150 + max(1, side), 150 : 150 + max(1, side)] = 2
        write(data / "train", f"{number}", mask, number)
        write(data / "val", f"{number}", mask, 100 + number)
    problems = found(check(data))
    assert text in problems[code].what
    assert problems[code].severity == "warning"
    assert set(problems) <= {code, "tiny_regions"}


def test_the_share_that_is_too_small_is_one_in_ten_thousand(data: Path) -> None:
    for number in range(IMAGES):
        mask = np.ones((100, 100), np.uint8)
        mask[0, 0] = 2  # just one in ten thousand
        write(data / "train", f"{number}", mask, number)
    assert "labels_with_few_pixels" not in found(check(data))


@pytest.mark.parametrize(("side", "told"), [(3, "dog (3.1)"), (4, None)])
def test_tiny_regions(data: Path, side: int, told: str | None) -> None:
    # In 500 x 500 pixels, for which the input is 512 x 512: 3.1 and 4.1 pixels there.
    for number in range(IMAGES):
        mask = np.pad(drawn(1), (0, 500 - SIDE))
        mask[100 : 100 + side, 100 : 100 + side] = 2
        write(data / "train", f"{number}", mask, number)
    result = check(data)
    assert result.input_size == (512, 512)
    expected = (
        f"labels whose regions are fewer than 4 pixels across at 512x512, the input size for these images: {told}"
    )
    said = [(problem.severity, problem.what) for problem in result.problems if problem.code == "tiny_regions"]
    assert said == ([("note", expected)] if told is not None else [])


def test_the_input_size_is_that_of_a_training(data: Path) -> None:
    for number in range(IMAGES):
        mask = np.zeros((300, 600), np.uint8)
        mask[:200, :300] = 1
        mask[100:120, 400:420] = 2
        write(data / "train", f"{number}", mask, number)
    plan = make_plan(Request(DataSpec(data / "train", data / "val")))
    opened, report = check_data(plan, open_data(plan), None)
    machine = MachineFacts(cores=8, threads=8, processes=1, world_size=1, gpu=True, memory=None)
    trained_at = configure(plan, opened, report, machine).template.input_size
    assert check(data).input_size == trained_at != (512, 512)


def test_a_label_that_is_not_validated(data: Path) -> None:
    for number in range(IMAGES):
        write(data / "val", f"{number}", drawn(1), 100 + number)
    lacking = only(check(data))
    assert lacking.code == "unvalidated_labels"
    assert (lacking.subset, lacking.what.rpartition(": ")[2]) == ("val", "dog")
    assert "left out of the average" in lacking.advice
    for number in range(IMAGES):
        write(data / "val", f"{number}", drawn(0), 100 + number)
    assert found(check(data))["unvalidated_labels"].advice.endswith("no score tells how good a network is")


def test_masks_of_one_label(data: Path) -> None:
    for number in range(IMAGES):
        write(data / "train", f"{number}", drawn(0), number)
    result = check(data)
    assert found(result)["one_label"].what.startswith("only the label 'background' occurs")
    assert result.usable_for is None


def test_images_with_nothing_to_see(data: Path) -> None:
    for number in range(4):
        write(data / "train", f"{number}", drawn(0), number)
    write(data / "val", "0", np.full((SIDE, SIDE), 255, np.uint8), IMAGES)
    problems = found(check(data))
    assert problems["images_of_background"].what == "4 of 6 images show nothing but background"
    assert len(problems["images_of_background"].files) == 4
    assert problems["images_without_labels"].subset == "val"


def test_other_labels(data: Path) -> None:
    meta = {"label_map": {"0": "background", "1": "dog", "2": "cat"}}
    (data / "val" / "dataset_meta.json").write_text(json.dumps(meta))
    result = check(data)
    different = only(result)
    assert (different.code, different.severity) == ("different_labels", "error")
    assert "the order is" in different.what
    (data / "val").rename(data / "test")
    assert check(data).problems == ()  # a model is evaluated on its labels in any order
    meta["label_map"]["3"] = "bird"
    (data / "test" / "dataset_meta.json").write_text(json.dumps(meta))
    assert only(check(data)).what == "labels that the training images do not have: bird"


def test_a_subset_that_cannot_be_opened_does_not_hide_the_others(data: Path) -> None:
    (data / "val" / "dataset_meta.json").write_text('{"label_map": {"0": "background", "2": "dog"}}')
    (data / "train" / "masks" / "0.png").unlink()
    problems = found(check(data))
    assert "none for mask value 1" in problems["cannot_be_opened"].what
    assert problems["cannot_be_opened"].subset == "val"
    assert "unmatched_files" in problems


def test_repeated_images(data: Path) -> None:
    images = data / "train" / "images"
    Image.open(images / "0.png").save(images / "again.bmp")
    shutil.copy(data / "train" / "masks" / "0.png", data / "train" / "masks" / "again.png")
    repeated = only(check(data))
    assert (repeated.code, repeated.what) == ("repeated_images", "1 image stored more than once")
    assert repeated.files[0].note == f"also {images / 'again.bmp'}"
    Image.fromarray(drawn(2, 1)).save(data / "train" / "masks" / "again.png")
    problems = found(check(data))
    assert problems["contradicting_masks"].what == "1 image stored more than once with different masks"


def test_sizes_and_ignored_pixels(data: Path) -> None:
    write(data / "train", "0", np.pad(drawn(), (0, 3 * SIDE), constant_values=255), 0)
    problems = found(check(data))
    assert problems["different_sizes"].what == "2 sizes of images, from 64x64 to 256x256"
    assert set(problems) == {"different_sizes", "ignored_pixels"}
    for number in range(IMAGES):
        write(data / "train", f"{number}", np.pad(drawn(), (0, SIDE), constant_values=255), number)
    assert only(check(data)).what == "75 % of the pixels are ignored (255)"


def test_dark_images_among_grey_ones_of_16_bits(data: Path) -> None:
    for number in range(3):
        grey = np.random.default_rng(number).integers(0, 4096, (SIDE, SIDE)).astype(np.uint16)
        Image.fromarray(grey).save(data / "train" / "images" / f"{number}.png")
    assert check(data).problems == ()  # alone they are a camera of 12 bits; colour beside them is none of their kind
    for number in range(2):
        Image.fromarray(grey * (14 + number)).save(data / "val" / "images" / f"{number}.png")
    problem = only(check(data))
    assert (problem.code, problem.severity, problem.subset) == ("uneven_grey", "warning", "train, val")
    assert problem.what.startswith("3 of 5 grey images of 16 bits have no value above 4095 and count as 12 bits")
    assert [Path(file.path).name for file in problem.files] == ["0.png", "1.png", "2.png"]


def test_a_single_image_cannot_be_split(data: Path) -> None:
    shutil.rmtree(data / "val")
    for number in range(1, IMAGES):
        (data / "train" / "images" / f"{number}.png").unlink()
        (data / "train" / "masks" / f"{number}.png").unlink()
    assert found(check(data / "train"))["single_image"].severity == "error"
    shutil.copytree(data / "train", data / "test")
    assert "single_image" in found(check(data))


def test_a_single_sound_image_cannot_be_split_either(data: Path) -> None:
    shutil.rmtree(data / "val")
    for number in range(2, IMAGES):
        (data / "train" / "images" / f"{number}.png").unlink()
        (data / "train" / "masks" / f"{number}.png").unlink()
    (data / "train" / "images" / "1.png").write_bytes(b"text")
    single = found(check(data))["single_image"]
    assert (single.severity, single.subset) == ("error", "train")
    refused_by_training(data, "a single image")


def refused_by_training(root: Path, words: str) -> None:
    plan = make_plan(Request(DataSpec(root)))
    with pytest.raises(DataError, match=words):
        check_data(plan, open_data(plan), None)


class TestTheSubsetThatTrainingChooses:
    def test_none(self, data: Path) -> None:
        (data / "train").rename(data / "seq1")
        (data / "val").rename(data / "seq2")
        result = check(data)
        choice = only(result)
        assert (choice.code, choice.severity, choice.subset) == ("which_subset", "error", "seq1, seq2")
        assert choice.what == "which subset to train on? Found seq1, seq2, expected train or default"
        assert choice.advice == "give the path of one, or rename its folder to train"
        assert result.usable_for is None
        refused_by_training(data, "which subset to train on")

    def test_what_it_leaves_alone_cannot_hinder_it(self, data: Path) -> None:
        shutil.copytree(data / "val", data / "seq2")
        (data / "seq2" / "dataset_meta.json").write_text(json.dumps({"label_map": {"0": "sky", "1": "bird"}}))
        write(data / "seq2", "0", drawn(9), 99)
        result = check(data)
        assert result.usable_for == "training"
        problems = found(result)
        assert problems["unknown_mask_values"].severity == "warning"
        assert problems["unknown_mask_values"].what.endswith("hold what is no label (not used by `otx train`)")
        assert "different_labels" not in problems
        plan = make_plan(Request(DataSpec(data)))
        assert check_data(plan, open_data(plan), None)[0].val.root == data / "val"  # type: ignore[union-attr]
        (data / "seq2" / "dataset_meta.json").unlink()
        assert found(check(data))["cannot_be_opened"].severity == "warning"

    def test_an_only_subset_of_any_name(self, data: Path) -> None:
        shutil.rmtree(data / "val")
        (data / "train").rename(data / "seq1")
        assert check(data).usable_for == "training"

    def test_a_single_image_beside_what_is_not_validated_on(self, data: Path) -> None:
        (data / "val").rename(data / "seq2")
        for number in range(1, IMAGES):
            (data / "train" / "images" / f"{number}.png").unlink()
            (data / "train" / "masks" / f"{number}.png").unlink()
        assert found(check(data))["single_image"].severity == "error"
        refused_by_training(data, "a single image")

    def test_a_test_set_alone(self, data: Path) -> None:
        (data / "train").rename(data / "test")
        assert only(check(data)).what == "which subset to train on? Found test, val, expected train or default"
        refused_by_training(data, "which subset to train on")


class TestWhatFoldersAreMeantFor:
    """What `otx run` and workspaces know."""

    def look(self, **folders: Path) -> DataCheck:
        sources = Sources(tuple(Source(root, None, part) for part, root in folders.items()))
        return inspect_data(sources, None, progress=None)

    def uses(self, **folders: Path) -> dict[str, str]:
        result = self.look(**folders)
        assert result.usable_for == "training", result.problems
        return {subset.name: subset.use for subset in result.subsets}

    def test_a_validation_folder_comes_before_a_subset_beside_the_training_images(self, data: Path) -> None:
        other = data.parent / "other"
        shutil.copytree(data / "val", other)
        assert self.uses(train=data, val=other) == {
            "train": "training",
            "default": "validation",
            "val": "nothing",
        }
        assert self.uses(train=data, test=other) == {
            "train": "training",
            "val": "validation",
            "default": "test",
        }

    def test_the_training_folder_comes_first(self, data: Path) -> None:
        plain = data.parent / "plain"
        shutil.copytree(data / "val", plain)
        assert self.uses(train=plain, val=data) == {
            "default": "training",
            "val": "validation",
            "train": "test",
        }

    def test_a_test_folder_validates_nothing(self, data: Path) -> None:
        shutil.move(data / "val", data.parent / "held out")
        for number in range(1, IMAGES):
            (data / "train" / "images" / f"{number}.png").unlink()
            (data / "train" / "masks" / f"{number}.png").unlink()
        assert "single_image" in found(self.look(train=data, test=data.parent / "held out"))

    def test_a_validation_folder_of_several_subsets(self, data: Path) -> None:
        for name in ("a", "b"):
            shutil.copytree(data / "val", data.parent / "other" / name)
        result = self.look(train=data, val=data.parent / "other")
        assert found(result)["which_subset"].what == "which subset to validate on? Found a, b, expected val or default"
        assert result.usable_for is None


def test_images_without_masks(data: Path) -> None:
    bare = data / "train" / "images"
    result = check(bare)
    assert result.usable_for == "self-supervised training"
    assert result.verdict == "usable for self-supervised training only: there are no masks"
    assert (result.subsets[0].name, result.subsets[0].images, result.subsets[0].labels) == ("unlabelled", IMAGES, ())
    assert result.subsets[0].sizes == (((SIDE, SIDE), IMAGES),)
    assert (result.input_size, result.as_json()["input_size"]) == (None, None)
    (bare / "0.png").write_bytes(b"text")
    assert check(bare).subsets[0].sizes == (((SIDE, SIDE), IMAGES - 1),)
    damaged = only(check(bare))
    assert damaged.files[0].path == str(bare / "0.png")
    assert damaged.files[0].note.startswith("not an image")
    for path in bare.iterdir():
        path.write_bytes(b"text")
    result = check([data / "val", bare])
    assert result.usable_for is None
    assert result.problems[0].subset == "unlabelled"
    assert "none of the 6 images can be used" in result.problems[0].what


def test_refusals(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: no such folder"):
        check(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="named twice"):
        check([data, data.parent / "data" / ".." / "data"])
    with pytest.raises(UsageError, match="lies in two of the --data-roots"):
        check([data, data / "train"])
    with pytest.raises(UsageError, match="--data-roots is missing"):
        check([])
    with pytest.raises(UsageError, match="--overwrite is for the page"):
        check(data, overwrite=True)


def test_several_data_sets_of_the_same_kinds(data: Path) -> None:
    shutil.copytree(data, data.parent / "more")
    result = check([data, data.parent / "more"])
    assert [subset.kind for subset in result.subsets] == ["train", "train", "val", "val"]
    more = data.parent / "more"
    assert [subset.name for subset in result.subsets] == ["train", f"train in {more}", "val", f"val in {more}"]
    assert {problem.code for problem in result.problems} == {"images_in_several_subsets"}
    assert [len(problem.files) for problem in result.problems] == [IMAGES, IMAGES]


class TestTrainingTellsToo:
    """What the look before a training says of the same problems."""

    def look(self, train: Path, val: Path) -> None:
        plan = make_plan(Request(DataSpec(train, val)))
        check_data(plan, open_data(plan), None)

    def test_of_a_leak_and_labels(self, data: Path, messages: Any) -> None:
        shutil.copy(data / "train" / "images" / "2.png", data / "val" / "images" / "5.png")
        for number in range(IMAGES):
            write(data / "val", f"{number}" if number < 5 else "6", drawn(1), 50 + number)
            if number < 3:
                write(data / "train", f"{number}", drawn(1), number)
        for path in (data / "val" / "masks").iterdir():
            Image.fromarray(drawn(1)).save(path)
        self.look(data / "train", data / "val")
        told = [line for line in messages.text.splitlines() if "otx check" in line]
        assert len(told) == 3
        assert told[0] == "training data: labels in fewer than 5 images: dog (3 images); see `otx check`"
        assert told[1].startswith("validation data: labels that the training images show and these do not: dog")
        assert told[2].startswith("training, validation data: 1 image is in training and in validation, the first: ")

    def test_of_nothing(self, data: Path, messages: Any) -> None:
        self.look(data / "train", data / "val")
        assert "otx check" not in messages.text

    def test_not_of_validation_on_the_training_images_which_it_says_already(self, data: Path, messages: Any) -> None:
        self.look(data / "train", data / "train")
        assert "otx check" not in messages.text

    def test_labels_that_are_validated_and_not_trained_are_refused_by_both(self, data: Path) -> None:
        for number in range(IMAGES):
            write(data / "train", f"{number}", drawn(1), number)
        write(data / "val", "0", drawn(1), IMAGES)
        refused = found(check(data))["untrained_labels"]
        assert (refused.severity, refused.subset) == ("error", "val")
        assert refused.what == f"labels that no training image shows: dog ({IMAGES - 1} images)"
        with pytest.raises(DataError, match=rf"no training pixel shows 'dog' \({IMAGES - 1} validation images\)"):
            self.look(data / "train", data / "val")
        for number in range(IMAGES):
            write(data / "val", f"{number}", drawn(1), IMAGES + number)
        assert check(data).usable_for == "training"


def test_nothing_is_written_beside_the_page(data: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    result = check(data, html=tmp_path / "new" / "page.html")
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "new", tmp_path / "new" / "page.html"])
    assert result.page == tmp_path / "new" / "page.html"
