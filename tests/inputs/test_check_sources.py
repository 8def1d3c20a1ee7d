"""What is looked through: folders and files of annotations, each once, and what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from otx_seg.datasets import AS_IT_LOOKS, HowToRead
from otx_seg.inputs.check_sources import Source, Sources, sources_given, sources_of_parts

A, B, FILE, OTHER = Path("a"), Path("b"), Path("one.json"), Path("other.json")


@pytest.mark.parametrize(
    ("train", "val", "test", "how", "expected"),
    [
        (A, None, None, AS_IT_LOOKS, [Source(A, None, "train")]),
        (A, B, None, AS_IT_LOOKS, [Source(A, None, "train"), Source(B, None, "val")]),
        (None, None, B, AS_IT_LOOKS, [Source(B, None, "test")]),
        # Each folder once, for the first of what it is for.
        (A, A / ".." / "a", B, AS_IT_LOOKS, [Source(A, None, "train"), Source(B, None, "test")]),
        (A, A / "val", None, AS_IT_LOOKS, [Source(A, None, "train")]),
        (A / "train", B, A, AS_IT_LOOKS, [Source(B, None, "val"), Source(A, None, "train")]),
        (A, B / "val", B, AS_IT_LOOKS, [Source(A, None, "train"), Source(B, None, "val")]),
        # Each file once, unless it is both trained and validated on; what it describes is a subset of its own.
        (A, None, None, HowToRead(None, FILE, OTHER), [Source(A, FILE, "train"), Source(A, OTHER, "val")]),
        (A, None, A, HowToRead(None, FILE, OTHER, OTHER), [Source(A, FILE, "train"), Source(A, OTHER, "val")]),
        (A, None, None, HowToRead(None, FILE, FILE), [Source(A, FILE, "train"), Source(A, FILE, "val")]),
        (A, None, None, HowToRead(None, None, OTHER), [Source(A, OTHER, "val"), Source(A, None, "train")]),
        (A, B, None, HowToRead(None, FILE), [Source(A, FILE, "train"), Source(B, None, "val")]),
    ],
)
def test_what_is_known_to_be_for_something(
    train: Path | None, val: Path | None, test: Path | None, how: HowToRead, expected: list[Source]
) -> None:
    assert sources_of_parts(train, val, test, how) == tuple(expected)


def test_what_is_given(tmp_path: Path, drawn_data: Path) -> None:
    bare = drawn_data / "train" / "images"
    assert sources_given([drawn_data, bare], AS_IT_LOOKS) == Sources((Source(drawn_data),), (bare,))
    # Who names a format or a file does not mean images alone.
    for how in (HowToRead("coco"), HowToRead(None, FILE, OTHER)):
        described = tuple(
            Source(bare, *named) for named in ((FILE, "train"), (OTHER, "val")) if how.data_format is None
        )
        expected = Sources(described or (Source(bare),), data_format=how.data_format)
        assert sources_given([bare], how) == expected
    both = sources_given([drawn_data, tmp_path], HowToRead("coco", test_annotations=OTHER, train_annotations=FILE))
    assert both.labelled == (Source(drawn_data, FILE, "train"), Source(tmp_path, OTHER, "test"))
    assert (both.folders, both.files) == ((drawn_data, tmp_path), (FILE, OTHER))
