"""What a training says of itself."""

from __future__ import annotations

from typing import Any

from otx_seg.metrics.confusion import LabelScore, Scores
from otx_seg.report.training_report import report_resume, warn_unlearned
from otx_seg.training.state import TrainState


def test_a_run_that_goes_on_says_where_and_warns_of_other_processes(messages: Any) -> None:
    position = TrainState(batch_size=8, epoch=2, step=97)
    report_resume(position, {"processes": 2}, 2)
    report_resume(position, {}, 2)  # a checkpoint of an earlier version
    assert messages.text.count("resuming in epoch 3, after 97 steps") == 2
    assert "trained by" not in messages.text
    report_resume(position, {"processes": 2}, 1)
    assert "was trained by 2 processes together so far and is by 1 process now" in messages.text
    assert "a step uses 0.5 times as many images" in messages.text


def test_labels_that_were_not_learned_are_named(messages: Any) -> None:
    found, missed, guessed = LabelScore(0.5, 0.3, 10, 12), LabelScore(0.0, 0.0, 7, 0), LabelScore(0.0, 0.0, 7, 3)
    warn_unlearned(Scores(0.25, 0.25, 0.15, 0.5, {"cat": found, "dog": guessed}, ("cow",), {"cow": 2}))
    assert not messages.text
    warn_unlearned(Scores(0.25, 0.25, 0.15, 0.5, {"cat": found, "dog": missed}, ("cow",), {}))
    assert "no pixel of the validation images was predicted as dog: train longer" in messages.text
