"""What `build` makes of the data it is given and of what a ``data.yaml`` said before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from data_layouts import by_datumaro

from otx_seg.errors import DataError, UsageError
from otx_seg.inputs.resolver import data_of
from otx_seg.verbs.build import Built, build
from otx_seg.workspace.data_file import Data, Labelled, Validation
from otx_seg.workspace.workspace import Workspace

Build = Callable[..., Built]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """`build` of the workspace ``w`` in an empty folder, with the file that it wrote read back."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def call(*roots: Path, **arguments: Any) -> Built:
        made = build(*roots, workspace="w", **arguments)
        assert data_of(made.workspace) == made.data
        return made

    return call


@pytest.fixture(scope="module")
def voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("voc")
    by_datumaro("voc_segmentation")(root)
    return root


def test_what_is_given_is_written(make: Build, drawn_data: Path, drawn_as_coco: dict[str, Path], voc: Path) -> None:
    train, val = map(str, (drawn_as_coco["train"], drawn_as_coco["val"]))
    made = make(drawn_data, train_ann_files=train, val_ann_files=val)
    assert made.data == Data(train=Labelled(data_roots=str(drawn_data), ann_files=train), val=Validation(ann_files=val))
    assert made.data.summary == f"train {drawn_data} ({train}), val ({val})"
    # A file for images that have a folder already; one in the workspace moves with it.
    own = made.workspace.path / "own.json"
    own.write_bytes(drawn_as_coco["val"].read_bytes())
    again = make(val_ann_files=own, data_format="coco")
    assert again.data.val == Validation(ann_files="own.json")
    assert again.changes == ("data format: none -> coco", f"val annotations: {val} -> own.json")
    # Without a file, other folders are described by what is in them.
    other = make(voc)
    assert other.data == Data(train=Labelled(data_roots=str(voc)))
    assert other.changes == (
        "data format: coco -> none",
        f"train data: {drawn_data} -> {voc}",
        f"train annotations: {train} -> none",
        "val annotations: own.json -> none",
    )


def test_a_rebuild_keeps_format_and_files(
    make: Build, drawn_data: Path, drawn_as_coco: dict[str, Path], tmp_path: Path
) -> None:
    files = {f"{name}_ann_files": drawn_as_coco[name] for name in ("train", "val")}
    first = make(drawn_data, drawn_data, drawn_data, data_format="coco", **files, test_ann_files=drawn_as_coco["val"])
    assert make(model="SegNext-t").data == first.data
    # The folder that is there already is no other one, however it is spelled.
    same = make(drawn_data / ".." / drawn_data.name)
    assert (same.data, same.changes) == (first.data, ())
    # The format stays as long as one of its folders does, and is what another one is opened in.
    by_datumaro("coco_instances")(tmp_path / "coco")
    other = make(test_data_roots=tmp_path / "coco")
    assert (other.data.data_format, other.data.test) == ("coco", Labelled(data_roots=str(tmp_path / "coco")))
    with pytest.raises(DataError, match=r"val: no COCO file"):
        make(test_data_roots=drawn_data / "val")


def test_a_folder_takes_its_file_with_it(make: Build, drawn_data: Path, drawn_as_coco: dict[str, Path]) -> None:
    make(drawn_data, drawn_data, val_ann_files=drawn_as_coco["val"], train_ann_files=drawn_as_coco["train"])
    made = make(val_data_roots=drawn_data / "val")
    assert made.data.val == Validation(data_roots=str(drawn_data / "val"))
    assert made.data.train.ann_files == str(drawn_as_coco["train"])


def test_images_that_a_file_describes_are_no_bare_images(
    make: Build, drawn_data: Path, drawn_as_coco: dict[str, Path], tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.symlink_to(drawn_data / "train" / "images")
    assert make(images).template.hyper_parameters.algo_backend.train_type == "Selfsupervised"
    with pytest.raises(UsageError, match=r"--train-ann-files: Selfsupervised training uses only images"):
        make(train_ann_files=drawn_as_coco["train"])
    file = tmp_path / "train.json"
    file.write_text(drawn_as_coco["train"].read_text().replace("train/images/", ""))
    made = build(images, train_ann_files=file, workspace=tmp_path / "other")
    assert made.template.hyper_parameters.algo_backend.train_type == "Incremental"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"data_format": "cocoa"}, UsageError, r"--data-format cocoa: unknown; did you mean 'coco'"),
        (
            {"train_ann_files": "FILE"},
            UsageError,
            r"--train-ann-files describes images in a folder: give --train-data-",
        ),
        ({"val_ann_files": "FILE"}, UsageError, r"give --val-data-roots too"),
        ({"test_ann_files": "FILE", "train_data_roots": "VOC"}, UsageError, r"give --test-data-roots too"),
        ({"train_data_roots": "VOC", "train_ann_files": "none.json"}, DataError, r"none.json: no such annot"),
        ({"train_data_roots": "VOC", "val_ann_files": "none.json"}, DataError, r"none.json: no such annot"),
        ({"train_data_roots": "VOC", "train_ann_files": "FILE"}, DataError, r"none of its 8 images is below"),
        ({"test_data_roots": "VOC", "test_ann_files": "FILE"}, DataError, r"none of its 8 images is below"),
        ({"train_data_roots": "VOC", "data_format": "cityscapes"}, DataError, r"no folder leftImg8bit"),
        ({"test_data_roots": "VOC", "data_format": "cityscapes"}, DataError, r"no folder leftImg8bit"),
        (
            {"train_data_roots": "VOC", "train_ann_files": "FILE", "data_format": "voc"},
            UsageError,
            r"an annotation file cannot be given for voc",
        ),
        (
            {"train_data_roots": "VOC", "val_ann_files": "FILE", "train_type": "Selfsupervised"},
            UsageError,
            r"Selfsupervised uses no masks",
        ),
    ],
)
def test_what_is_refused_leaves_nothing(
    make: Build,
    drawn_as_coco: dict[str, Path],
    voc: Path,
    arguments: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    places = {"VOC": voc, "FILE": drawn_as_coco["train"]}
    with pytest.raises(error, match=message):
        make(**{name: places.get(value, value) for name, value in arguments.items()})
    assert not list(Path.cwd().iterdir())


def test_an_unknown_format_in_data_yaml(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("data: {data-format: cocoa}")
    with pytest.raises(UsageError, match=r"data.yaml: data.data-format: cocoa: unknown; did you mean 'coco'\?"):
        data_of(Workspace(tmp_path))
