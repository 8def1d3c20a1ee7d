"""Which images of a folder are meant."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from otx_seg.errors import UsageError
from otx_seg.runtime.path_filter import ALL_PATHS, path_filter

FOLDER = Path("in")
PATHS = [PurePath(name) for name in ("a.png", "b.jpg", "day1/a.png", "day1/deep/c.PNG", "day2/scan.tif#1", "x[1].png")]


def taken(include: object, exclude: object = ()) -> list[str]:
    chosen = path_filter(include, exclude).chosen(PATHS, FOLDER)  # type: ignore[arg-type]
    return [str(path) for path, wanted in zip(PATHS, chosen, strict=True) if wanted]


def test_nothing_is_left_out_without_patterns() -> None:
    assert ALL_PATHS.chosen(PATHS, FOLDER) == [True] * 6
    assert not ALL_PATHS
    assert path_filter("*", ())
    assert path_filter((), ["b*"])


def test_a_star_stands_for_folders_too() -> None:
    assert taken("*.png") == ["a.png", "day1/a.png", "x[1].png"]
    assert taken("day1/*") == ["day1/a.png", "day1/deep/c.PNG"]
    assert taken("a.png") == ["a.png"]
    assert taken("?.jpg") == ["b.jpg"]
    assert taken("x[[]1].png") == ["x[1].png"]


def test_several_patterns() -> None:
    assert taken(["*.jpg", "day2/*"]) == ["b.jpg", "day2/scan.tif#1"]
    assert taken([], ["*.png", "day1/*"]) == ["b.jpg", "day2/scan.tif#1"]
    assert taken("*a.png", "day1/*") == ["a.png"]


def test_pages_have_the_path_of_their_file_and_their_own() -> None:
    assert taken("*.tif") == taken("*#1") == taken("day2/scan.tif#1") == ["day2/scan.tif#1"]


@pytest.mark.parametrize(
    ("include", "exclude", "message"),
    [
        (
            ["*.png", "*.gif"],
            (),
            r"in: --include '\*\.gif' matches none of the 6 images there \(a\.png, b\.jpg, day1/a",
        ),
        ((), "night/*", "in: --exclude 'night/\\*' matches none of the 6 images"),
        ("*.jpg", "b*", "in: --exclude leaves none of the 1 images"),
        ((), "*", "in: --exclude leaves none of the 6 images"),
        ("", (), "--include '' matches none"),
    ],
)
def test_patterns_that_leave_nothing(include: object, exclude: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        taken(include, exclude)
