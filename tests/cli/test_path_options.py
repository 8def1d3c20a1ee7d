"""`--include` and `--exclude` of `otx predict`, `explain` and `demo`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otx_seg.deployment.agreement import drawn_images


@pytest.fixture
def images(tmp_path: Path, save: Callable[..., Path]) -> Path:
    for name in ("a.png", "a.jpg", "day1/b.png", "day2/b.png"):
        save(tmp_path / "in" / name, drawn_images((40, 50))[0])
    return tmp_path / "in"


def masks() -> list[str]:
    return sorted(path.relative_to("out").as_posix() for path in Path("out").glob("**/*.png"))


VERBS = (
    ["predict", "--input"],
    ["demo", "--delay", "-1", "--input"],
    ["explain", "--explain-algorithm", "probability", "--process-saliency-maps", "--explain-data-roots"],
)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_images_are_chosen(otx: Any, tiny_ir: Path, images: Path, verb: list[str]) -> None:
    fixed = [*verb, images, "--load-weights", tiny_ir, "--output", "out"]
    outcome = otx(*fixed, "--include", "*.png", "--include", "day2/*", "--exclude", "day1/*")
    assert outcome.code == 0, outcome.err
    # Names do not depend on the choice: a.jpg may follow with the same output folder.
    assert {Path(name).name for name in masks()} == {"a.png.png", "b.png"}
    assert not any("day1" in name for name in masks())
    outcome = otx(*fixed, "--include", "nothing*")
    assert outcome.code == 2
    assert "--include 'nothing*' matches none of the 4 images there" in outcome.message


def test_the_results_of_two_choices_fit_into_one_folder(otx: Any, tiny_ir: Path, images: Path) -> None:
    fixed = ["predict", "--input", images, "--load-weights", tiny_ir, "--output", "out"]
    assert otx(*fixed, "--include", "a.jpg").code == 0
    assert otx(*fixed, "--exclude", "a.jpg").code == 0
    assert masks() == ["a.jpg.png", "a.png.png", "day1/b.png", "day2/b.png"]


@pytest.mark.parametrize("source", ["7", "video.avi", "http://127.0.0.1:1/x"])
def test_only_images_are_chosen_among(otx: Any, tiny_ir: Path, source: str) -> None:
    Path("video.avi").write_bytes(b"RIFF\0\0\0\0AVI LIST")
    outcome = otx("demo", "--input", source, "--load-weights", tiny_ir, "--include", "*")
    assert outcome.code == 2
    assert "--include and --exclude choose images of a folder; leave them out here" in outcome.message
