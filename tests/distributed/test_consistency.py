"""Processes that are about to do different things are told apart."""

from __future__ import annotations

from typing import Any

import pytest
from accelerate import PartialState

from otx_seg.distributed import consistency as same_everywhere
from otx_seg.distributed.consistency import all_or_none, first_difference
from otx_seg.distributed.worker import LostProcessError
from otx_seg.errors import DataError
from otx_seg.template import load


def process(seed: int = 1, val: str = "c", **parameters: Any) -> dict[str, Any]:
    changes = {f"learning_parameters.{name}": value for name, value in parameters.items()}
    template = load("Lite-HRNet-s-mod2").override(changes)
    return {"seed": seed, **template.as_dict(), "train": f"b{seed}", "val": val, "unlabelled": "d"}


def test_the_first_process_that_differs_is_named() -> None:
    assert first_difference([process()]) == first_difference([process(), process()]) == ""
    found = first_difference([process(), process(), process(val="x"), process(seed=2)])
    assert found.startswith("process 2 has other validation images than process 0: start all machines with the same")
    found = first_difference([process(), process(learning_rate=0.5e-3)])
    assert "process 1 has learning_parameters.learning_rate = 0.0005, process 0 0.003: start" in found
    assert first_difference([process(), process(seed=2)]).startswith("process 1 has seed = 2, process 0 1: ")


def test_other_label_maps_are_told_apart() -> None:
    found = first_difference([{**process(), "label map": "a: b"}, {**process(), "label map": "a: c"}])
    assert found.startswith("process 1 has other lines in its label map than process 0: start all machines")


def test_machines_may_load_images_as_they_can() -> None:
    assert first_difference([process(num_workers=2), process(num_workers=8)]) == ""


def test_what_fails_in_one_process_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> int:
        raise DataError("there: no such folder")

    assert all_or_none(lambda: 3) == 3
    told: list[str | None] = []

    def with_the_other(mine: list[str | None]) -> list[str | None]:
        told.extend(mine)
        return [*mine, "process 1: there: no such folder"]

    monkeypatch.setattr(PartialState(), "num_processes", 2)  # all of them share what they know
    monkeypatch.setattr(same_everywhere, "gather_object", with_the_other)
    with pytest.raises(LostProcessError, match=r"the training did not begin: process 1: there: no such folder"):
        all_or_none(lambda: 3)
    with pytest.raises(DataError, match=r"^there: no such folder$"):
        all_or_none(fails)
    assert told == [None, "process 0: there: no such folder"]
