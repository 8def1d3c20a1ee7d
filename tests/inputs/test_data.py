"""Which labelled data a command works on in a workspace, and how it is read: what is given, and what data.yaml says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from data_layouts import WRITERS, common_in_the_root

from otx_seg.datasets import DataSpec, open_test
from otx_seg.errors import DataError, UsageError
from otx_seg.inputs.data import (
    check_spec,
    evaluation_spec,
    evaluation_spec_if_any,
    prediction_images,
    training_spec,
)
from otx_seg.inputs.resolver import Resolver, open_resolver
from otx_seg.verbs.build import build

NOTHING, COCO = DataSpec(), DataSpec(data_format="coco")
X = Path("x.json")
Says = Callable[[str], Resolver]


ALL = """data-format: coco,
train: {data-roots: ../a, ann-files: ../a.json},
val: {data-roots: ../b, ann-files: ../b.json},
test: {data-roots: ../c, ann-files: ../c.json}"""
VAL_IN_TRAIN = "data-format: coco, train: {data-roots: ../a, ann-files: ../a.json}, val: {ann-files: ../b.json}"


@pytest.mark.parametrize(
    ("text", "train", "val", "asked", "expected"),
    [
        # train folder, val folder, format, train file, val file
        (ALL, None, None, NOTHING, ("a", "b", "coco", "a.json", "b.json")),
        (ALL, "t", None, NOTHING, ("t", "b", "coco", None, "b.json")),
        (ALL, None, "v", NOTHING, ("a", "v", "coco", "a.json", None)),
        (ALL, "t", "v", NOTHING, ("t", "v", None, None, None)),
        (ALL, "t", "v", COCO, ("t", "v", "coco", None, None)),
        (ALL, None, None, DataSpec(data_format="voc", val_annotations=X), ("a", "b", "voc", "a.json", "x.json")),
        (VAL_IN_TRAIN, None, None, NOTHING, ("a", None, "coco", "a.json", "b.json")),
        (VAL_IN_TRAIN, "t", None, NOTHING, ("t", None, None, None, None)),
        (VAL_IN_TRAIN, None, "v", NOTHING, ("a", "v", "coco", "a.json", None)),
        ("train: {data-roots: ../a}", None, None, NOTHING, ("a", None, None, None, None)),
    ],
)
def test_what_is_trained_on(
    says: Says, text: str, train: str | None, val: str | None, asked: DataSpec, expected: tuple[str | None, ...]
) -> None:
    roots = {"train_root": train and Path(train), "val_root": val and Path(val)}
    found = training_spec(says(text), replace(asked, **roots))  # type: ignore[arg-type]
    files = (found.train_annotations, found.val_annotations)
    names = [None if path is None else path.name for path in (found.train_root, found.val_root, *files)]
    assert (*names[:2], found.data_format, *names[2:]) == expected


NO_TEST = ALL.partition(",\ntest")[0]
OTHER_TEST = DataSpec(test_annotations=X)


@pytest.mark.parametrize(
    ("text", "asked", "folders", "expected"),
    [
        # format, train file, val file, test file
        (ALL, NOTHING, "abc", ("coco", "a.json", "b.json", "c.json")),
        (ALL, DataSpec(data_format="voc", val_annotations=X), "abc", ("voc", "a.json", "x.json", "c.json")),
        (NO_TEST, NOTHING, "ab-", ("coco", "a.json", "b.json", None)),
        (VAL_IN_TRAIN, NOTHING, "a--", ("coco", "a.json", "b.json", None)),
        ("test: {data-roots: ../c}", NOTHING, "--c", (None, None, None, None)),
        # What is measured on without a folder for it is what `otx eval` takes.
        (NO_TEST, OTHER_TEST, "abb", ("coco", "a.json", "b.json", "x.json")),
        (VAL_IN_TRAIN, OTHER_TEST, "a-a", ("coco", "a.json", "b.json", "x.json")),
    ],
)
def test_what_is_looked_through(
    says: Says, text: str, asked: DataSpec, folders: str, expected: tuple[str | None, ...]
) -> None:
    found = check_spec(says(text), "--data-roots", asked)
    roots = [None if root is None else root.name for root in found.roots.values()]
    assert roots == [None if name == "-" else name for name in folders]
    files = [None if file is None else file.name for file in found.annotations.values()]
    assert (found.data_format, *files) == expected


@pytest.mark.parametrize(
    ("text", "asked", "message"),
    [
        ("unlabeled: {data-roots: ../a}", NOTHING, r"^--data-roots is missing: .*, or write it into .*data.yaml$"),
        ("train: {data-roots: ../a}", OTHER_TEST, r"^--test-ann-files describes images in a folder: give --data-roots"),
        ("test: {data-roots: ../a}", DataSpec(val_annotations=X), r"^--val-ann-files describes images"),
    ],
)
def test_nothing_to_look_through(says: Says, text: str, asked: DataSpec, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_spec(says(text), "--data-roots", asked)


@pytest.mark.parametrize(
    ("text", "given", "asked", "expected"),
    [
        # folder, format, file
        (ALL, None, NOTHING, ("c", "coco", "c.json")),
        (ALL, "given", NOTHING, ("given", None, None)),
        (ALL, None, DataSpec(data_format="voc", test_annotations=X), ("c", "voc", "x.json")),
        (ALL.partition("\ntest")[0], None, NOTHING, ("b", "coco", "b.json")),
        (VAL_IN_TRAIN, None, NOTHING, ("a", "coco", "b.json")),
        # What one file describes has no subsets.
        ("train: {data-roots: ../a, ann-files: ../a.json}", None, NOTHING, None),
    ],
)
def test_what_is_measured_on(
    says: Says, text: str, given: str | None, asked: DataSpec, expected: tuple[str | None, ...] | None
) -> None:
    found = evaluation_spec_if_any(says(text), replace(asked, test_root=given and Path(given)))
    if found is None or expected is None:
        assert found is expected
        return
    file = found.test_annotations
    assert found.test_root is not None
    assert (found.test_root.name, found.data_format, None if file is None else file.name) == expected


@pytest.mark.parametrize("layout", ["coco", "voc in colours", "subsets in folders", "common"])
def test_subsets_of_the_training_data_are_found_in_any_format(says: Says, tmp_path: Path, layout: str) -> None:
    expected, write = WRITERS[layout]
    write(tmp_path / "data")
    resolver = says("train: {data-roots: ../data}")
    assert evaluation_spec_if_any(resolver, DataSpec(test_annotations=X)) is None
    found, training = evaluation_spec(resolver, NOTHING)
    assert training is None
    assert found.data_format == expected
    assert [Path(sample.image).stem for sample in open_test(found).samples] == ["im2"]


def test_training_data_without_such_a_subset(says: Says, tmp_path: Path) -> None:
    (tmp_path / "a" / "picture.png").touch()  # bare images have no subsets
    assert evaluation_spec_if_any(says("train: {data-roots: ../a}"), NOTHING) is None
    common_in_the_root(tmp_path / "b")
    resolver = says("train: {data-roots: ../b}")
    assert evaluation_spec_if_any(resolver, NOTHING) is None
    with pytest.raises(DataError, match=r"no COCO file"):
        evaluation_spec_if_any(resolver, COCO)
    with pytest.raises(
        UsageError, match=r"--test-data-roots is missing: name the folder .*, or write it into .*data.y"
    ):
        evaluation_spec(resolver, NOTHING)


def test_images_are_found_as_the_data_says(
    says: Says, drawn_data: Path, drawn_as_coco: dict[str, Path], messages: object, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "otx_seg")
    resolver = says(
        f"data-format: coco, train: {{data-roots: {drawn_data}}}, val: {{ann-files: {drawn_as_coco['val']}}}"
    )
    assert prediction_images(resolver, "--input", "images") == drawn_data
    assert "format of the data: coco, from the workspace" in messages.text  # type: ignore[attr-defined]
    assert f"images of {drawn_data} are used, not only the 2 to evaluate on" in messages.text  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "train: {data-roots: ../a, ann-files: ../none.json}",
            r"data.yaml: data.train.ann-files: .*none.json: no such ",
        ),
        (
            "train: {data-roots: ../a}, val: {ann-files: ../b}",
            r"data.val.ann-files: .*b: no such file; correct it there",
        ),
        (
            "train: {data-roots: ../none}, val: {ann-files: ../b.json}",
            r"data.train.data-roots: .*none: no such file or",
        ),
    ],
)
def test_files_that_are_not_there(says: Says, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        training_spec(says(text), NOTHING)


def test_what_is_tested_on(here: Path, drawn_data: Path) -> None:
    def measured(given: str | None = None) -> Path | None:
        return evaluation_spec(open_resolver("w"), DataSpec.given(test_root=given))[0].test_root

    train, val = drawn_data / "train", drawn_data / "val"
    build(train, workspace="w")
    with pytest.raises(UsageError, match=r"--test-data-roots is missing: .*, or write it into w/data.yaml"):
        measured()
    build(drawn_data, workspace="w")  # its subset val
    assert measured() == drawn_data
    build(val_data_roots=val, workspace="w")
    assert measured() == val
    assert prediction_images(open_resolver("w"), "--input", "images") == val / "images"
    build(test_data_roots=train, workspace="w")
    assert measured() == train
    assert measured("given") == Path("given")
