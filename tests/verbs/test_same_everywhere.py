"""Processes that are about to do different things are told apart."""

from __future__ import annotations

from otx_seg.verbs.same_everywhere import first_difference

DIGESTS = {"seed": "a", "train": "b", "val": "c", "unlabelled": "d", "template": "e"}


def test_the_first_process_that_differs_is_named() -> None:
    assert first_difference([DIGESTS]) == first_difference([DIGESTS, dict(DIGESTS)]) == ""
    found = first_difference([DIGESTS, DIGESTS, {**DIGESTS, "val": "x", "template": "y"}, {**DIGESTS, "seed": "z"}])
    assert found.startswith(
        "process 2 has other validation images and other parameters or another template than process 0: start all "
    )
