"""The quickstart, with a few seconds of training in place of three minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from otx_seg.errors import UsageError
from otx_seg.verbs.quickstart import quickstart


def test_the_whole_journey(tmp_path: Path) -> None:
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if len(said) == 1:
            with pytest.raises(UsageError, match="another otx command is working there"):
                quickstart(tmp_path / "start", minutes=0.05)

    result = quickstart(tmp_path / "start", minutes=0.05, images=15, side=64, say=say)
    assert [stage.name for stage in result.stages] == ["torch", "OpenVINO FP32", "OpenVINO INT8"]
    assert len(said) == 5
    for stage in result.stages:
        assert stage.model.is_file()
        assert stage.size > 100_000
        assert stage.evaluation.images == 3
    assert abs(result.stages[0].evaluation.scores.dice_average - result.stages[1].evaluation.scores.dice_average) < 0.01
    assert result.picture.stat().st_size > 10_000
    with pytest.raises(UsageError, match=r"--overwrite"):
        quickstart(tmp_path / "start", minutes=0.05)


@pytest.mark.slow
def test_three_minutes_are_enough(tmp_path: Path) -> None:
    torch_stage, _, int8_stage = quickstart(tmp_path / "start", minutes=3).stages
    assert torch_stage.evaluation.scores.dice_average >= 0.80
    loss = torch_stage.evaluation.scores.dice_average - int8_stage.evaluation.scores.dice_average
    assert loss <= 0.02
