"""Which way of learning is chosen, and why."""

from __future__ import annotations

import pytest

from otx_seg.errors import UsageError
from otx_seg.verbs.train_type import choose_train_type


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
    chosen, why = choose_train_type(asked, unlabelled)
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
        choose_train_type(asked, unlabelled)
