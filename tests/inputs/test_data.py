"""Which labelled data a command works on in a workspace, and how it is read: what is given, and what data.yaml says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from data_layouts import WRITERS, common_in_the_root

from otx_seg.datasets import AS_IT_LOOKS, HowToRead, open_test
from otx_seg.errors import DataError, UsageError
from otx_seg.inputs.data import (
    images_to_run_on,
    to_look_through,
    to_measure_on,
    to_measure_on_if_any,
    to_train_on,
)
from otx_seg.inputs.resolver import Place
from otx_seg.inputs.training import fill_from
from otx_seg.training.setup.plan import Request, make_plan
from otx_seg.workspace.workspace import Workspace

COCO = HowToRead("coco")
Says = Callable[[str], Place]


@pytest.fixture
def says(tmp_path: Path) -> Says:
    """A workspace whose data.yaml says something; beside it folders and files of any content."""
    workspace = Workspace(tmp_path / "w")
    workspace.path.mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.json").touch()

    def write(text: str) -> Place:
        workspace.data.write_text(f"data: {{{text}}}")
        return Place(workspace)

    return write


ALL = """data-format: coco,
train: {data-roots: ../a, ann-files: ../a.json},
val: {data-roots: ../b, ann-files: ../b.json},
test: {data-roots: ../c, ann-files: ../c.json}"""
VAL_IN_TRAIN = "data-format: coco, train: {data-roots: ../a, ann-files: ../a.json}, val: {ann-files: ../b.json}"


@pytest.mark.parametrize(
    ("text", "train", "val", "asked", "expected"),
    [
        # train folder, val folder, format, train file, val file
        (ALL, None, None, AS_IT_LOOKS, ("a", "b", "coco", "a.json", "b.json")),
        (ALL, "t", None, AS_IT_LOOKS, ("t", "b", "coco", None, "b.json")),
        (ALL, None, "v", AS_IT_LOOKS, ("a", "v", "coco", "a.json", None)),
        (ALL, "t", "v", AS_IT_LOOKS, ("t", "v", None, None, None)),
        (ALL, "t", "v", COCO, ("t", "v", "coco", None, None)),
        (ALL, None, None, HowToRead("voc", None, Path("x.json")), ("a", "b", "voc", "a.json", "x.json")),
        (VAL_IN_TRAIN, None, None, AS_IT_LOOKS, ("a", None, "coco", "a.json", "b.json")),
        (VAL_IN_TRAIN, "t", None, AS_IT_LOOKS, ("t", None, None, None, None)),
        (VAL_IN_TRAIN, None, "v", AS_IT_LOOKS, ("a", "v", "coco", "a.json", None)),
        ("train: {data-roots: ../a}", None, None, AS_IT_LOOKS, ("a", None, None, None, None)),
    ],
)
def test_what_is_trained_on(
    says: Says, text: str, train: str | None, val: str | None, asked: HowToRead, expected: tuple[str | None, ...]
) -> None:
    found = to_train_on(says(text), train, val, asked)
    files = (found.how.train_annotations, found.how.val_annotations)
    names = [None if path is None else path.name for path in (found.train, found.val, *files)]
    assert (*names[:2], found.how.data_format, *names[2:]) == expected


NO_TEST = ALL.partition(",\ntest")[0]
OTHER_TEST = HowToRead(test_annotations=Path("x.json"))


@pytest.mark.parametrize(
    ("text", "asked", "folders", "expected"),
    [
        # format, train file, val file, test file
        (ALL, AS_IT_LOOKS, "abc", ("coco", "a.json", "b.json", "c.json")),
        (ALL, HowToRead("voc", None, Path("x.json")), "abc", ("voc", "a.json", "x.json", "c.json")),
        (NO_TEST, AS_IT_LOOKS, "ab-", ("coco", "a.json", "b.json", None)),
        (VAL_IN_TRAIN, AS_IT_LOOKS, "a--", ("coco", "a.json", "b.json", None)),
        ("test: {data-roots: ../c}", AS_IT_LOOKS, "--c", (None, None, None, None)),
        # What is measured on without a folder for it is what `otx eval` takes.
        (NO_TEST, OTHER_TEST, "abb", ("coco", "a.json", "b.json", "x.json")),
        (VAL_IN_TRAIN, OTHER_TEST, "a-a", ("coco", "a.json", "b.json", "x.json")),
    ],
)
def test_what_is_looked_through(
    says: Says, text: str, asked: HowToRead, folders: str, expected: tuple[str | None, ...]
) -> None:
    found = to_look_through(says(text), "--data-roots", asked)
    roots = [None if root is None else root.name for root in (found.train, found.val, found.test)]
    assert roots == [None if name == "-" else name for name in folders]
    files = [None if file is None else file.name for file in found.how.annotations.values()]
    assert (found.how.data_format, *files) == expected


@pytest.mark.parametrize(
    ("text", "asked", "message"),
    [
        ("unlabeled: {data-roots: ../a}", AS_IT_LOOKS, r"^--data-roots is missing: .*, or write it into .*data.yaml$"),
        ("train: {data-roots: ../a}", OTHER_TEST, r"^--test-ann-files describes images in a folder: give --data-roots"),
        ("test: {data-roots: ../a}", HowToRead(None, None, Path("x.json")), r"^--val-ann-files describes images"),
    ],
)
def test_nothing_to_look_through(says: Says, text: str, asked: HowToRead, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        to_look_through(says(text), "--data-roots", asked)


@pytest.mark.parametrize(
    ("text", "given", "asked", "expected"),
    [
        # folder, format, file
        (ALL, None, AS_IT_LOOKS, ("c", "coco", "c.json")),
        (ALL, "given", AS_IT_LOOKS, ("given", None, None)),
        (ALL, None, HowToRead("voc", test_annotations=Path("x.json")), ("c", "voc", "x.json")),
        (ALL.partition("\ntest")[0], None, AS_IT_LOOKS, ("b", "coco", "b.json")),
        (VAL_IN_TRAIN, None, AS_IT_LOOKS, ("a", "coco", "b.json")),
        # What one file describes has no subsets.
        ("train: {data-roots: ../a, ann-files: ../a.json}", None, AS_IT_LOOKS, None),
    ],
)
def test_what_is_measured_on(
    says: Says, text: str, given: str | None, asked: HowToRead, expected: tuple[str | None, ...] | None
) -> None:
    found = to_measure_on_if_any(says(text), given, asked)
    if found is None or expected is None:
        assert found is expected
        return
    file = found.how.test_annotations
    assert (found.root.name, found.how.data_format, None if file is None else file.name) == expected


@pytest.mark.parametrize("layout", ["coco", "voc in colours", "subsets in folders", "common"])
def test_subsets_of_the_training_data_are_found_in_any_format(says: Says, tmp_path: Path, layout: str) -> None:
    expected, write = WRITERS[layout]
    write(tmp_path / "data")
    place = says("train: {data-roots: ../data}")
    assert to_measure_on_if_any(place, None, HowToRead(test_annotations=Path("x.json"))) is None
    found = to_measure_on(place, None, AS_IT_LOOKS)
    assert found.how.data_format == expected
    assert [Path(sample.image).stem for sample in open_test(found.root, how=found.how).samples] == ["im2"]


def test_training_data_without_such_a_subset(says: Says, tmp_path: Path) -> None:
    (tmp_path / "a" / "picture.png").touch()  # bare images have no subsets
    assert to_measure_on_if_any(says("train: {data-roots: ../a}"), None, AS_IT_LOOKS) is None
    common_in_the_root(tmp_path / "b")
    place = says("train: {data-roots: ../b}")
    assert to_measure_on_if_any(place, None, AS_IT_LOOKS) is None
    with pytest.raises(DataError, match=r"no COCO file"):
        to_measure_on_if_any(place, None, COCO)
    with pytest.raises(
        UsageError, match=r"--test-data-roots is missing: name the folder .*, or write it into .*data.y"
    ):
        to_measure_on(place, None, AS_IT_LOOKS)


def test_images_are_found_as_the_data_says(
    says: Says, drawn_data: Path, drawn_as_coco: dict[str, Path], messages: object, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "otx_seg")
    place = says(f"data-format: coco, train: {{data-roots: {drawn_data}}}, val: {{ann-files: {drawn_as_coco['val']}}}")
    assert images_to_run_on(place, None, "--input", "images") == drawn_data
    assert "format of the data: coco, from the workspace" in messages.text  # type: ignore[attr-defined]
    assert f"images of {drawn_data} are used, not only the 2 to measure on" in messages.text  # type: ignore[attr-defined]


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
        to_train_on(says(text), None, None, AS_IT_LOOKS)


def test_a_training_is_planned_with_it(says: Says) -> None:
    place = says(ALL)
    place.workspace.template.write_text("")  # type: ignore[union-attr]
    plan = make_plan(fill_from(place, Request(template="Lite-HRNet-s-mod2")))
    assert plan.roots.how.data_format == "coco"
    assert plan.roots.how.val_annotations is not None
    # What masks are read from is nothing to training without masks, unless it is asked for.
    plan = make_plan(fill_from(place, Request(template="Lite-HRNet-s-mod2", train_type="Selfsupervised")))
    assert (plan.roots.how, plan.roots.val) == (AS_IT_LOOKS, None)
    with pytest.raises(UsageError, match=r"leave out --data-format"):
        make_plan(fill_from(place, Request(template="Lite-HRNet-s-mod2", train_type="Selfsupervised", how=COCO)))
