"""What a finished job made, as its state tells."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from otx_seg.errors import UsageError
from otx_seg.workflow.job import JobRequest, JobState
from otx_seg.workflow.outcome import outcome_of

JOB: Any = SimpleNamespace(folder=Path("job"))


def state(**changes: Any) -> JobState:
    """A job whose three models score 0.5, 0.4 and 0.3; the second is measured in two arithmetics."""
    speed = [("a", 10, 0.3), ("b", 20, 0.2), ("b", 20, 0.1), ("c", 5, 0.1)]
    done: dict[str, Any] = {
        name: {"file": file, "template": "small"}
        for name, file in zip(("train", "export", "optimize"), "abc", strict=True)
    }
    for name, dice in (("train", 0.5), ("export", 0.4), ("optimize", 0.3)):
        done[f"eval_{name}"] = {"Dice Average": dice, "mIoU": dice / 2, "images": 4}
    measured = [dict(zip(("file", "size_bytes", "latency_median_s"), entry, strict=True)) for entry in speed]
    done |= {"benchmark": {"models": measured}, "deploy": {"file": "d.zip"}, **changes}
    return JobState(Path("job", "run.json"), JobRequest(), {}, done)


def test_three_models_side_by_side() -> None:
    outcome = outcome_of(JOB, state(), ("check",))
    found = [(model.file.name, model.dice, model.m_iou, model.size, model.latency) for model in outcome.models]
    assert found == [("a", 0.5, 0.25, 10, 0.3), ("b", 0.4, 0.2, 20, 0.2), ("c", 0.3, 0.15, 5, 0.1)]
    assert (outcome.template, outcome.images, outcome.package) == ("small", 4, Path("job", "d.zip"))
    assert outcome.as_json()["skipped"] == ["check"]


@pytest.mark.parametrize(
    "changes",
    [
        {"benchmark": {"models": []}},
        {"benchmark": {}},
        {"eval_train": {"Dice Average": 2.0, "mIoU": 0.5, "images": 4}},
        {"eval_train": {"Dice Average": 0.5, "mIoU": 0.5, "images": 0}},
        {"deploy": {"file": 3}},
    ],
)
def test_a_damaged_state_is_told(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"run.json: .*--overwrite"):
        outcome_of(JOB, state(**changes), ())
