"""What messages become on the screen."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from otx_seg.cli import screen
from otx_seg.cli.screen import counting, prepare_screen
from otx_seg.report.progress import TrainingDisplay
from otx_seg.workspace.logs import PROGRESS

logger = logging.getLogger("otx_seg.somewhere")


def test_nothing_is_said_twice_in_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # two commands
        prepare_screen()
        for folder in ("a", "b", "a"):
            logger.info("%s: read as Pascal VOC", folder)
            logger.warning("%s: has no list of labels", folder)
        told = capsys.readouterr().err.splitlines()
        assert told == [
            "a: read as Pascal VOC",
            "Warning: a: has no list of labels",
            "b: read as Pascal VOC",
            "Warning: b: has no list of labels",
        ]


def test_progress_is_told_whatever_was_told(capsys: pytest.CaptureFixture[str]) -> None:
    prepare_screen()
    for _ in range(2):
        logger.info("epoch 1, step 2: loss 0.5", extra={PROGRESS: True})
    assert capsys.readouterr().err == "epoch 1, step 2: loss 0.5\n" * 2


def test_what_a_training_tells_while_it_runs_is_progress(messages: Any) -> None:
    from rich.console import Console

    from otx_seg.training.loggers import StepReport

    records: list[logging.LogRecord] = []
    messages.emit = records.append
    display = TrainingDisplay(Console())
    for step in range(12):
        display.on_step(StepReport(step + 1, 20, 1, (step + 1) / 20, {"loss": 0.5}, 0.1, step))
    assert len(records) > 2
    assert all(hasattr(record, PROGRESS) for record in records)


def test_the_text_of_a_library_stays_in_the_log_file(capsys: pytest.CaptureFixture[str]) -> None:
    prepare_screen()
    logger.warning("the tracker failed", exc_info=OSError("<urlopen error>"))
    assert capsys.readouterr().err == "Warning: the tracker failed\n"


def test_without_a_terminal_lines_tell_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([0.0, 1.0, 31.0, 31.0, 32.0, 62.0, 62.0])
    monkeypatch.setattr(screen.time, "monotonic", lambda: next(now))
    with counting("looking at images") as advance:
        advance(10, 2000)
        advance(1000, 2000)
        advance(1010, 2000)
        advance(1200)
    assert capsys.readouterr().err == "looking at images: 1,000 of 2,000\nlooking at images: 1,200\n"
