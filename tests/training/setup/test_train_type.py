"""Which training method is chosen, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from otx_seg.errors import UsageError
from otx_seg.training.setup.train_type import choose_train_type


@pytest.mark.parametrize(
    ("asked", "unlabelled", "expected", "reason"),
    [
        (None, False, "Incremental", "all images are labelled"),
        (None, True, "Semisupervised", "unlabelled images are given"),
        ("incremental", False, "Incremental", "asked"),
        ("SEMISUPERVISED", True, "Semisupervised", "asked"),
    ],
)
def test_the_choice_and_its_reason(asked: str | None, unlabelled: bool, expected: str, reason: str) -> None:
    chosen, why = choose_train_type(asked, None, True, unlabelled)
    assert chosen == expected
    assert reason in why


@pytest.mark.parametrize(
    ("asked", "unlabelled", "message"),
    [
        ("Semisupervized", True, "did you mean 'Semisupervised'"),
        ("Semisupervised", False, "give --unlabeled-data-roots FOLDER"),
        ("Incremental", True, "leave out --unlabeled-data-roots"),
    ],
)
def test_what_does_not_go_together(asked: str, unlabelled: bool, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_train_type(asked, None, False, unlabelled)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["a.jpg", "b.PNG"], "Selfsupervised"),
        (["images/a.jpg", "images/deeper/b.jpg"], "Selfsupervised"),
        (["a.jpg", "README.md", ".hidden/dataset_meta.json"], "Selfsupervised"),
        (["images/a.jpg", "masks/a.png"], "Incremental"),
        (["images/a.jpg", "dataset_meta.json"], "Incremental"),
        (["train/images/a.jpg"], "Incremental"),
        (["JPEGImages/a.jpg", "SegmentationClass/a.png"], "Incremental"),
        (["a.jpg", "annotations.xml"], "Incremental"),
        (["notes.md"], "Incremental"),
        (["a.jpg", "a.png"], "Incremental"),
        (["a.jpg", "a_mask.png"], "Incremental"),
    ],
)
def test_a_folder_of_bare_images(files: list[str], expected: str, tmp_path: Path) -> None:
    for name in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert choose_train_type(None, tmp_path, False, False)[0] == expected
    assert choose_train_type(None, tmp_path, True, False)[0] == "Incremental"
    assert choose_train_type(None, tmp_path, False, True)[0] == "Semisupervised"
