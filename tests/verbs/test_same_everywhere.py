"""Processes that are about to do different things are told apart."""

from __future__ import annotations

from typing import Any

from otx_seg.template import load
from otx_seg.verbs.same_everywhere import first_difference


def process(seed: int = 1, val: str = "c", **parameters: Any) -> dict[str, Any]:
    changes = {f"learning_parameters.{name}": value for name, value in parameters.items()}
    template = load("Lite-HRNet-s-mod2").override(changes)
    return {"seed": seed, **template.as_dict(), "train": f"b{seed}", "val": val, "unlabelled": "d"}


def test_the_first_process_that_differs_is_named() -> None:
    assert first_difference([process()]) == first_difference([process(), process()]) == ""
    found = first_difference([process(), process(), process(val="x"), process(seed=2)])
    assert found.startswith("process 2 has other validation images than process 0: start all machines with the same")
    found = first_difference([process(), process(learning_rate=0.5e-3)])
    assert "process 1 has hyper_parameters.learning_parameters.learning_rate = 0.0005, process 0 0.003: start" in found
    assert first_difference([process(), process(seed=2)]).startswith("process 1 has seed = 2, process 0 1: ")


def test_machines_may_load_images_as_they_can() -> None:
    assert first_difference([process(num_workers=2), process(num_workers=8)]) == ""
