"""Tables, curves, progress and the written report."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest
import torch
from PIL import Image
from rich.console import Console

from otx_seg.labels import Labels, default_colors
from otx_seg.metrics.confusion import scores
from otx_seg.metrics.definitions import METRICS
from otx_seg.metrics.measured import Measured
from otx_seg.metrics.watched import metric_named
from otx_seg.report.curves import _finish, draw_curves
from otx_seg.report.pictures import draw_comparison
from otx_seg.report.progress import TrainingDisplay, format_duration
from otx_seg.report.tables import as_text, scores_table
from otx_seg.report.training_report import write_report
from otx_seg.training.loggers import MetricsFile, StepReport, ValidationReport

LABELS = Labels(("background", "cat", "dog"), default_colors(3), 0)
SCORES = scores(torch.tensor([[90, 0, 0], [0, 10, 0], [0, 0, 0]]), LABELS)


def test_durations() -> None:
    assert [format_duration(seconds) for seconds in (0, 61.4, 3599.6, 7325)] == ["0:00", "1:01", "1:00:00", "2:02:05"]


def test_the_table_lists_absent_labels_too() -> None:
    text = as_text(scores_table(SCORES, "title"))
    for words in ("title", "cat", "1.0000", "dog", "absent", "mean over labels"):
        assert words in text
    assert "false alarms" not in text
    text = as_text(scores_table(scores(torch.tensor([[90, 0, 1234], [0, 10, 0], [0, 0, 0]]), LABELS)))
    row = next(line for line in text.splitlines() if "dog" in line)
    assert row.count("absent") == 2
    assert "0, false alarms: 1,234" in row


def cells(text: str, row: str) -> list[str]:
    """The cells of the row that begins so, without the lines between them."""
    line = next(line for line in text.splitlines() if line.startswith(f"│ {row} "))
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_the_table_of_the_usual_metrics() -> None:
    text = as_text(scores_table(scores(torch.tensor([[80, 10, 0], [0, 10, 0], [0, 0, 0]]), LABELS)))
    headings = next(line for line in text.splitlines() if "label" in line)
    assert headings.strip("┃").replace("┃", "").split() == ["label", "Dice", "IoU", "precision", "recall", "pixels"]
    assert cells(text, "cat") == ["cat", "0.6667", "0.5000", "0.5000", "1.0000", "10"]
    assert cells(text, "mean over labels") == ["mean over labels", "0.6667", "", "", "", ""]
    assert cells(text, "with background") == ["with background", "0.8039", "0.6944", "", "0.9444", ""]
    assert cells(text, "weighted by pixels") == ["weighted by pixels", "", "0.8500", "", "", ""]
    assert cells(text, "pixel accuracy") == ["pixel accuracy", "0.9000", "", "", "", ""]


def test_the_table_of_chosen_metrics() -> None:
    found = scores(torch.tensor([[80, 10, 0], [0, 10, 0], [0, 0, 0]]), LABELS, ["cat"])
    bands = Measured(METRICS["boundary_iou"], {"background": 0.25}, None, 0.25)
    weighted, share = Measured(METRICS["fw_iou"], {}, 0.5, None), Measured(METRICS["accuracy"], {}, 0.75, None)
    text = as_text(scores_table(found, measured=[bands, weighted, share]))
    assert cells(text, "background") == ["background", "0.2500", "90"]
    assert cells(text, "cat (left out)") == ["cat (left out)", "", "10"]
    assert cells(text, "dog") == ["dog", "absent", "0"]
    assert "mean over labels" not in text
    assert cells(text, "with background") == ["with background", "0.2500", ""]
    assert cells(text, "fw_iou") == ["fw_iou", "0.5000", ""]  # there is no column of IoU to put it in
    assert cells(text, "pixel accuracy") == ["pixel accuracy", "0.7500", ""]
    text = as_text(scores_table(found, measured=[share]))
    assert (cells(text, "background"), cells(text, "dog")) == (["background", "", "90"], ["dog", "absent", "0"])
    assert cells(text, "pixel accuracy") == ["pixel accuracy", "0.7500", ""]


def test_a_long_label_takes_one_line_of_a_table() -> None:
    labels = Labels(("background", f"first {'x' * 180} last"), default_colors(2), 0)
    lines = as_text(scores_table(scores(torch.eye(2, dtype=torch.int64), labels))).splitlines()
    assert sum("xx" in line for line in lines) == 1
    assert any("first x" in line and "x last" in line for line in lines)


def test_curves_are_drawn_from_the_journal(tmp_path: Path) -> None:
    journal = MetricsFile(tmp_path / "metrics.jsonl")
    journal.append({"step": 10, "loss": 1.0})
    journal.append({"step": 20, **SCORES.as_json()})
    draw_curves(journal.path, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.width > 500


def test_curves_of_every_loss_and_without_validations(tmp_path: Path) -> None:
    journal = MetricsFile(tmp_path / "metrics.jsonl")
    for number in range(1, 4):
        contrast = {"contrast": 0.5} if number == 2 else {}  # not computed at every step
        journal.append({"step": number, "loss": 2.0 / number, "CrossEntropy": 1.0 / number, **contrast})
    drawn = draw_curves(journal.path, tmp_path / "curves.png")
    assert drawn == {"training loss": ("sum", "CrossEntropy", "contrast")}
    journal.append({"step": 3, **SCORES.as_json()})
    drawn = draw_curves(journal.path, tmp_path / "curves.png")
    assert drawn["validation scores"] == ("Dice", "mIoU")
    journal.on_validation(ValidationReport(4, 1, SCORES, 1.0, 4.0, metric=metric_named("dice:[cat]")))
    drawn = draw_curves(journal.path, tmp_path / "curves.png")
    assert drawn["validation scores"] == ("'[cat]' Dice", "Dice", "mIoU")


def test_a_comparison_is_drawn(tmp_path: Path, tiny_weights: Path, tiny_data: object) -> None:
    draw_comparison(tiny_weights, tiny_data.root, tmp_path / "picture.png")  # type: ignore[attr-defined]
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.width > picture.height / 2


def test_the_written_report(tmp_path: Path) -> None:
    write_report(tmp_path / "cli_report.log", {"Results": "score 1"})
    text = (tmp_path / "cli_report.log").read_text()
    for words in ("Environment", "torch: 2.", "Results", "score 1"):
        assert words in text


def step(number: int, progress: float, elapsed_s: float) -> StepReport:
    return StepReport(number, 100, 1, progress, {"loss": 0.5}, 1e-3, elapsed_s)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_run_without_validations_is_heard_of(terminal: bool, caplog: pytest.LogCaptureFixture) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    with caplog.at_level(logging.INFO, "otx_seg"), TrainingDisplay(console) as display:
        for number in range(1, 101):
            display.on_step(step(number, number / 100, float(number)))
    assert caplog.text.count("loss 0.500") in ((0,) if terminal else (9, 10))


@pytest.mark.parametrize("terminal", [True, False])
def test_the_display(terminal: bool, caplog: pytest.LogCaptureFixture) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    with caplog.at_level(logging.INFO, "otx_seg"), TrainingDisplay(console) as display:
        for number in range(1, 11):
            display.on_step(step(number, number / 100, 100.0 + number))
        display.on_validation(ValidationReport(10, 1, SCORES, 1.0, 110.0))
        display.on_step(step(11, 0.11, 111.0))
        display.progress.refresh()
    # 9 of 100 steps took 9 s, so the 90 left take 90 s more than the 110 s that have passed.
    assert "expected duration: at most 3:20" in caplog.text
    assert "validation Dice 1.0000, mIoU 1.0000 (best Dice 1.0000)" in caplog.text
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert ("best Dice 1.0000" in shown) == terminal
    assert ("1:29 left" in shown) == terminal


def test_the_display_names_what_is_watched(caplog: pytest.LogCaptureFixture) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with caplog.at_level(logging.INFO, "otx_seg"), TrainingDisplay(console) as display:
        display.on_step(step(1, 0.1, 1.0))
        display.on_validation(ValidationReport(10, 1, SCORES, 0.5, 110.0, metric=metric_named("dice:[bold]")))
        display.on_step(step(2, 0.2, 2.0))
        display.progress.refresh()
    assert "validation '[bold]' Dice 0.0000, Dice 1.0000, mIoU 1.0000 (best '[bold]' Dice 0.5000) after" in caplog.text
    assert isinstance(console.file, io.StringIO)
    assert "best '[bold]' Dice 0.5000" in console.file.getvalue()


def test_the_display_of_a_second_training(caplog: pytest.LogCaptureFixture) -> None:
    """That of the next fold: it has an estimate of its own."""
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with caplog.at_level(logging.INFO, "otx_seg"), TrainingDisplay(console) as display:
        for start in (0.0, 1000.0):
            for number in range(1, 11):
                display.on_step(step(number, number / 100, start + number))
            display.on_end(None)
    assert "expected duration: at most 1:40" in caplog.text
    assert "expected duration: at most 18:20" in caplog.text  # 1000 s and 100 s


@pytest.mark.parametrize(("best", "side"), [(0, "left"), (3, "right")])
def test_the_name_of_a_line_stays_within_the_diagram(best: int, side: str) -> None:
    from matplotlib.figure import Figure

    scored = [{"step": step, "score": float(number == best)} for number, step in enumerate((10, 20, 30, 40))]
    axes = Figure().subplots()
    axes.plot((10, 40), (0, 1))
    _finish(axes, scored, legend=False)
    (name,) = axes.texts
    assert (name.get_text(), name.get_ha()) == ("best score", side)
