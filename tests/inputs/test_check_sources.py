"""What is checked: folders and annotation files, each once, and what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from otx_seg.datasets import DataSpec
from otx_seg.inputs.check_sources import Source, Sources, sources_given, sources_of

A, B, FILE, OTHER = Path("a"), Path("b"), Path("one.json"), Path("other.json")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (DataSpec(A), [Source(A, None, "train")]),
        (DataSpec(A, B), [Source(A, None, "train"), Source(B, None, "val")]),
        (DataSpec(test_root=B), [Source(B, None, "test")]),
        # Each folder once, for the first of what it is for.
        (DataSpec(A, A / ".." / "a", B), [Source(A, None, "train"), Source(B, None, "test")]),
        (DataSpec(A, A / "val"), [Source(A, None, "train")]),
        (DataSpec(A / "train", B, A), [Source(B, None, "val"), Source(A, None, "train")]),
        (DataSpec(A, B / "val", B), [Source(A, None, "train"), Source(B, None, "val")]),
        # Each file once, unless it is both trained and validated on; what it describes is a subset of its own.
        (
            DataSpec(A, train_annotations=FILE, val_annotations=OTHER),
            [Source(A, FILE, "train"), Source(A, OTHER, "val")],
        ),
        (
            DataSpec(A / "train", None, A, train_annotations=FILE, val_annotations=OTHER),
            [Source(A / "train", FILE, "train"), Source(A / "train", OTHER, "val"), Source(A, None, "test")],
        ),
        (
            DataSpec(A, None, A, train_annotations=FILE, val_annotations=OTHER, test_annotations=OTHER),
            [Source(A, FILE, "train"), Source(A, OTHER, "val")],
        ),
        (
            DataSpec(A, train_annotations=FILE, val_annotations=FILE),
            [Source(A, FILE, "train"), Source(A, FILE, "val")],
        ),
        (DataSpec(A, val_annotations=OTHER), [Source(A, OTHER, "val"), Source(A, None, "train")]),
        (DataSpec(A, B, train_annotations=FILE), [Source(A, FILE, "train"), Source(B, None, "val")]),
    ],
)
def test_what_is_known_to_be_for_something(data: DataSpec, expected: list[Source]) -> None:
    assert sources_of(data).labelled == tuple(expected)


def test_what_is_given(tmp_path: Path, drawn_data: Path) -> None:
    bare = drawn_data / "train" / "images"
    assert sources_given([drawn_data, bare], DataSpec()) == Sources((Source(drawn_data),), (bare,))
    # Who names a format or a file does not mean images alone.
    for given in (DataSpec(data_format="coco"), DataSpec(train_annotations=FILE, val_annotations=OTHER)):
        described = tuple(
            Source(bare, *named) for named in ((FILE, "train"), (OTHER, "val")) if given.data_format is None
        )
        expected = Sources(described or (Source(bare),), data_format=given.data_format)
        assert sources_given([bare], given) == expected
    in_files = DataSpec(data_format="coco", test_annotations=OTHER, train_annotations=FILE)
    both = sources_given([drawn_data, tmp_path], in_files)
    assert both.labelled == (Source(drawn_data, FILE, "train"), Source(tmp_path, OTHER, "test"))
    assert (both.folders, both.files) == ((drawn_data, tmp_path), (FILE, OTHER))
