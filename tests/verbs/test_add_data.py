"""More labelled images for a workspace: what is new, what is there already, and what stays as it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from otx_seg.datasets import DEFAULT_SEED, DataSpec, find_training, open_training
from otx_seg.datasets.check.twins import Twin
from otx_seg.datasets.synthetic.draw import NAMES, draw_dataset
from otx_seg.errors import DataError, OtxError, UsageError
from otx_seg.inputs.data import training_spec
from otx_seg.inputs.resolver import open_resolver
from otx_seg.training.recorded_data import RecordedData
from otx_seg.verbs.add_data import AddedData, add_data
from otx_seg.verbs.build import build
from otx_seg.verbs.check import check
from otx_seg.verbs.convert import convert
from otx_seg.workspace.data_file import read_data_file
from otx_seg.workspace.run_folder import RunFolder, point_latest

Copy = Callable[..., None]


@pytest.fixture
def batch(here: Path) -> Path:
    """Four more images, one of them without new labels."""
    draw_dataset(here / "more", images=5, size=64, seed=11)
    return (here / "more" / "train").rename(here / "batch")


@pytest.fixture
def copy(batch: Path) -> Copy:
    """Puts a copy of an image into the batch, with its mask or with another one."""

    def into(root: Path, image: str, name: str, other_mask: bool = False) -> None:
        shutil.copy(root / "images" / image, batch / "images" / name)
        mask = cv2.imread(str(root / "masks" / Path(image).with_suffix(".png")), cv2.IMREAD_UNCHANGED)
        if other_mask:
            mask[:8] = 1
        cv2.imwrite(str((batch / "masks" / name).with_suffix(".png")), mask)

    return into


def opened(workspace: str = "w") -> Any:
    return open_training(training_spec(open_resolver(workspace), DataSpec()), DEFAULT_SEED)


def names(subset: Any) -> list[str]:
    return [sample.name for sample in subset.samples]


def told(twins: tuple[Twin, ...]) -> list[tuple[str, str, str, bool]]:
    return [(twin.name, twin.use, twin.known_name, twin.same_mask) for twin in twins]


def test_new_images_are_trained_on_and_the_same_ones_validated_on(here: Path, data: Path, batch: Path) -> None:
    build(data / "train", workspace="w")
    before = opened()
    added = add_data("batch", workspace="w")
    now = opened()
    assert names(now.val) == names(before.val)
    new = [f"batch/images/{path.name}" for path in (batch / "images").iterdir()]
    assert names(now.train) == sorted(names(before.train) + new)
    assert added == AddedData(added.workspace, "batch", 4, (), (), {}, (3, 7), 1)
    assert names(opened().val) == names(find_training(DataSpec(data / "train", val_names=tuple(names(now.val)))).val)


def test_a_named_validation_folder_stays_that(here: Path, data: Path, batch: Path) -> None:
    build(data / "train", data / "val", workspace="w")
    assert add_data("batch", workspace="w").validated_on == 1
    assert read_data_file(Path("w/data.yaml")).val.images is None
    assert opened().split == f"validation: 1 images of {data / 'val'}, as given"


def test_those_of_the_last_training_are_kept(here: Path, data: Path, batch: Path) -> None:
    build(data / "train", workspace="w")
    chosen = names(find_training(DataSpec(data / "train")).train)[1:3]
    run = RunFolder(Path("w/outputs/1_train"))
    run.weights.parent.mkdir(parents=True)
    run.weights.touch()
    point_latest(run)
    RecordedData(7, "", (), tuple(chosen), (), (), data=DataSpec(data / "train")).write(run)
    add_data("batch", workspace="w")
    assert names(opened().val) == chosen


def test_what_is_there_already_is_named(here: Path, data: Path, batch: Path, copy: Copy) -> None:
    build(data / "train", data / "val", data / "val", workspace="w")
    first = sorted(path.name for path in (data / "train" / "images").iterdir())
    validated = next(path.name for path in (data / "val" / "images").iterdir())
    copy(data / "train", first[0], "same.png")
    copy(data / "train", first[1], "corrected.png", other_mask=True)
    copy(data / "val", validated, "leak.png")
    copy(data / "val", validated, "leak2.png", other_mask=True)
    added = add_data("batch", workspace="w")
    assert told(added.left_out) == [
        ("leak.png", "validation", validated, True),
        ("leak2.png", "validation", validated, False),
        ("same.png", "training", first[0], True),
    ]
    assert told(added.replaced) == [("corrected.png", "training", first[1], False)]
    assert (added.new, added.trained_on) == (4, (4, 8))
    now = opened()
    assert first[1] not in names(now.train)
    assert {"batch/images/corrected.png", first[0]} <= set(names(now.train))
    assert not any("leak" in name or "same" in name for name in names(now.train))
    found = check(workspace="w")
    assert found.usable_for == "training"
    assert not {"repeated_images", "contradicting_masks", "images_in_several_subsets"} & {
        problem.code for problem in found.problems if "train" in problem.subset
    }


def test_a_leak_into_test_data_is_found_in_both_places(here: Path, batch: Path, copy: Copy, data: Path) -> None:
    shutil.copytree(data / "val", data / "test")
    tested = next(path.name for path in (data / "test" / "images").iterdir())
    shutil.rmtree(data / "val")
    copy(data / "test", tested, "leak.png")
    build(data, workspace="w")  # a subset of the training data
    assert told(add_data("batch", workspace="w").left_out) == [("leak.png", "test", tested, True)]
    build(data / "train", test_data_roots=data / "test", workspace="v")
    assert told(add_data("batch", workspace="v").left_out) == [("leak.png", "test", tested, True)]


def test_further_additions_and_one_that_is_taken_back(here: Path, data: Path, batch: Path, copy: Copy) -> None:
    build(data / "train", workspace="w")
    add_data("batch", workspace="w")
    (here / "elsewhere").mkdir()
    draw_dataset(here / "elsewhere" / "drawn", images=5, size=64, seed=12)
    again = (here / "elsewhere" / "drawn" / "train").rename(here / "elsewhere" / "batch")
    image = sorted((batch / "images").iterdir())[0]
    shutil.copy(image, again / "images" / "corrected.jpg")
    cv2.imwrite(str(again / "masks" / "corrected.png"), np.ones((64, 64), np.uint8))
    added = add_data(again, workspace="w")
    assert added.name == "batch-2"
    assert told(added.replaced) == [("corrected.jpg", "training", image.name, False)]
    data_file = read_data_file(Path("w/data.yaml"))
    assert data_file.added["batch-2"].left_out == {"batch": [image.name]}
    assert len(opened().train) == 3 + 4 - 1 + 5
    # Undone by hand, everything is as before.
    text = Path("w/data.yaml").read_text()
    Path("w/data.yaml").write_text(text[: text.index("    batch-2:")])
    assert len(opened().train) == 3 + 4
    assert f"here/batch/images/{image.name}" not in names(opened().train)


def test_labels_in_another_order_or_new(here: Path, data: Path, batch: Path) -> None:
    build(data / "train", workspace="w")
    meta = json.loads((batch / "dataset_meta.json").read_text())
    meta["label_map"] = {str(index): name for index, name in enumerate((*NAMES[:-1], "waster"))}
    (batch / "dataset_meta.json").write_text(json.dumps(meta))
    before = Path("w/data.yaml").read_text()
    with pytest.raises(DataError, match=r"batch: has labels .* lacks: 'waster' \(did you mean 'washer'\?\); rename"):
        add_data("batch", workspace="w")
    assert Path("w/data.yaml").read_text() == before
    Path("map.yaml").write_text("".join(f"{name}: {name}\n" for name in NAMES[:-1]) + "waster: washer\n")
    assert add_data("batch", label_map="map.yaml", workspace="w").new_labels == {}
    assert opened().train.labels.names == NAMES
    Path("w/data.yaml").write_text(before)
    added = add_data("batch", new_labels=True, workspace="w")
    assert list(added.new_labels) == ["waster"]
    now = opened()
    assert now.train.labels.names == now.val.labels.names == (*NAMES, "waster")
    assert check(workspace="w").usable_for == "training"


def test_labels_that_the_new_images_lack_are_named(here: Path, data: Path, batch: Path, messages: Any) -> None:
    build(data / "train", workspace="w")
    meta = json.loads((batch / "dataset_meta.json").read_text())
    del meta["label_map"][str(len(NAMES) - 1)], meta["segmentation_colors"][-1]
    (batch / "dataset_meta.json").write_text(json.dumps(meta))
    for mask in (batch / "masks").iterdir():
        cv2.imwrite(str(mask), cv2.imread(str(mask), cv2.IMREAD_UNCHANGED) % (len(NAMES) - 1))
    add_data("batch", workspace="w")
    assert f"batch: its labels lack {NAMES[-1]}; where its images show that" in messages.text


def test_subsets_that_are_not_added_are_named(here: Path, data: Path, batch: Path, messages: Any) -> None:
    build(data / "train", workspace="w")
    batch.rename(here / "train")
    (here / "several").mkdir()
    (here / "train").rename(here / "several" / "train")
    shutil.copytree(data / "val", here / "several" / "val")
    assert add_data("several", workspace="w").new == 4
    assert "several: images to train on are added, those of val are not; to validate or test on" in messages.text


def test_an_interruption_changes_nothing(here: Path, data: Path, batch: Path) -> None:
    build(data / "train", workspace="w")
    before = {path: path.read_bytes() for path in Path("w").rglob("*") if path.is_file()}

    def interrupt(what: str, done: int, total: int) -> None:
        if what.endswith("train") and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_data("batch", workspace="w", progress=interrupt)
    assert {path: path.read_bytes() for path in Path("w").rglob("*") if path.is_file()} == before

    def change(what: str, done: int, total: int) -> None:
        Path("w/data.yaml").write_text(before[Path("w/data.yaml")].decode().replace("test:\n", "test: # mine\n", 1))
        build(test_data_roots=data / "val", workspace="w")

    with pytest.raises(OtxError, match=r"data\.yaml: was changed while the new images were read"):
        add_data("batch", workspace="w", progress=change)
    assert not read_data_file(Path("w/data.yaml")).added


def test_an_edited_data_file_is_kept(here: Path, data: Path, batch: Path) -> None:
    build(data / "train", workspace="w")
    edited = Path("w/data.yaml").read_text() + "# mine\n"
    Path("w/data.yaml").write_text(edited)
    assert [path.read_text() for path in add_data("batch", workspace="w").kept] == [edited]


def test_each_file_describes_images_of_its_own(
    here: Path, drawn_data: Path, drawn_as_coco: dict[str, Path], tmp_path: Path
) -> None:
    build(drawn_data, train_ann_files=drawn_as_coco["train"], workspace="w")
    with pytest.raises(UsageError, match=r"is in the workspace already, as train in data\.yaml"):
        add_data(drawn_data, train_ann_files=drawn_as_coco["train"], workspace="w")
    added = add_data(drawn_data, train_ann_files=drawn_as_coco["val"], workspace="w")
    assert added.new == 2
    assert len(opened().train) + len(opened().val) == 10


def test_everything_that_reads_the_data_reads_what_was_added(here: Path, data: Path, batch: Path) -> None:
    build(data / "train", data / "val", workspace="w")
    add_data("batch", workspace="w")
    assert {subset.kind: subset.images for subset in check(workspace="w").subsets} == {"train": 8, "val": 1}
    assert convert(workspace="w", output="plain").images == {"train": 8, "val": 1}
    # With another folder to train on, it is forgotten, and said so.
    changes = build(here / "batch", workspace="w").changes
    assert "added data: batch -> none" in changes
    assert build(model="SegNext-t", workspace="w").data.added == {}


def test_another_model_keeps_what_was_added(here: Path, data: Path, batch: Path) -> None:
    build(data / "train", workspace="w")
    add_data("batch", workspace="w")
    made = build(model="SegNext-t", workspace="w")
    assert (list(made.data.added), len(made.data.val.images or ())) == (["batch"], 1)
    Path("batch").rename("gone")
    with pytest.raises(DataError, match=r"data\.added\.batch\.data-roots: .*batch: no such file .* remove the entry"):
        opened()
