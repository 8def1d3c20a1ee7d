"""Scores as tables for the terminal and for text files."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from otx_seg.report.console import Cell, PlainConsole

if TYPE_CHECKING:  # needs torch, which tables do not
    from otx_seg.metrics.confusion import Scores


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> Table:
    """A table whose first column is text and whose other columns are aligned to the right; see `Cell`."""
    made = Table(title=title, title_justify="left", header_style="bold")
    for number, heading in enumerate(headings):
        made.add_column(heading, justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        made.add_row(*(Cell(value) for value in row))
    return made


def models_table(models: Iterable[tuple[str, float, float, int, float]], title: str | None = None) -> Table:
    """Models side by side: of each its name, Dice, mIoU, bytes of its files, and seconds for one image."""
    rows = [
        (name, f"{dice:.4f}", f"{m_iou:.4f}", f"{size / 1e6:.2f}", f"{1000 * latency:.1f}")
        for name, dice, m_iou, size, latency in models
    ]
    return table(("model", "Dice", "mIoU", "MB", "ms per image"), rows, title)


def scores_table(scores: Scores, title: str | None = None) -> Table:
    """One row per label, absent ones with their false alarms included, then means; the first is without background."""
    rows: list[tuple[object, ...]] = [
        (name, *map(_digits, (score.dice, score.iou, score.precision, score.recall)), f"{score.pixels_true:,}")
        for name, score in scores.per_label.items()
    ]
    for name in scores.absent:
        alarms = scores.false_alarms.get(name)
        rows.append((name, "absent", "absent", "", "", f"0, false alarms: {alarms:,}" if alarms else "0"))
    made = table(("label", "Dice", "IoU", "precision", "recall", "pixels"), rows, title)
    made.add_section()
    made.add_row("mean over labels", _digits(scores.dice_average))
    averages = (scores.m_dice, scores.m_iou)
    made.add_row("with background", *map(_digits, averages), "", _digits(scores.mean_accuracy))
    made.add_row("weighted by pixels", "", _digits(scores.frequency_weighted_iou))
    made.add_row("pixel accuracy", _digits(scores.pixel_accuracy))
    return made


def _digits(score: float) -> str:
    return f"{score:.4f}"


def as_text(*renderables: object) -> str:
    """What rich would print, as plain text 120 columns wide."""
    console = PlainConsole(file=io.StringIO(), width=120, color_system=None)
    for renderable in renderables:
        console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
