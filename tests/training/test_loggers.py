"""What is told of a training, and the file of its metrics: appended, cut, read in spite of a line cut short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from otx_seg.labels import Labels, default_colors
from otx_seg.metrics.confusion import scores
from otx_seg.training.loggers import Logger, Loggers, MetricsFile, StepReport, ValidationReport, read_metrics

LABELS = Labels(("background", "cat"), default_colors(2), 0)


def test_a_resumed_run_drops_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    journal = MetricsFile(tmp_path / "logs" / "metrics.jsonl")
    journal.on_begin(3)
    for step in range(1, 6):
        journal.append({"step": step, "loss": 1 / step})
    with journal.path.open("a") as file:
        file.write('{"step": 6, "lo')
    assert [entry["step"] for entry in read_metrics(journal.path)] == [1, 2, 3, 4, 5]
    journal.on_begin(3)
    journal.append({"step": 4, "absent_labels": ["a"]})
    assert [entry["step"] for entry in read_metrics(journal.path)] == [1, 2, 3, 4]


def test_damaged_lines_are_left_out_and_told_of(tmp_path: Path, messages: Any) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = [b'{"step": 1, "loss": 1.0}', b"\xff", b"[]", b'{"step": "2\xc2\xb2"}', b'{"step": 3, "loss": NaN}']
    lines += [b'{"step": 4, "loss": "x"}', b"", b'{"step": 5, "loss": 0.5}', b'{"ste']
    path.write_bytes(b"\n".join(lines))
    assert [entry["step"] for entry in read_metrics(path)] == [1, 5]
    assert "metrics.jsonl: 6 damaged lines left out, the first is line 2" in messages.text


def report(step: int, **losses: float) -> StepReport:
    return StepReport(step, 100, 1, step / 100, losses, 1e-3, float(step))


class Listener(Logger):
    def __init__(self) -> None:
        self.heard: list[float] = []

    def on_step(self, report: StepReport) -> None:
        self.heard.append(report.losses["loss"])


def test_every_logger_hears_every_loss_and_the_file_each_tenth(tmp_path: Path) -> None:
    first, second, file = Listener(), Listener(), MetricsFile(tmp_path / "metrics.jsonl")
    loggers = Loggers([first, Loggers([second]), file])
    for step in range(1, 22):
        loggers.on_step(report(step, loss=float(step), Dice=0.5))
    loggers.on_validation(ValidationReport(21, 1, scores(torch.eye(2, dtype=torch.int64), LABELS), 1.0, 21.0))
    loggers.on_begin(20)
    assert first.heard == second.heard == [float(step) for step in range(1, 22)]
    written = [(entry["step"], entry["loss"], entry["Dice"]) for entry in read_metrics(file.path)]
    assert written == [(1, 1.0, 0.5), (10, 10.0, 0.5), (20, 20.0, 0.5)]
