"""Scores as tables for the terminal and for text files."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from otx_seg.metrics.measured import Measured, usual
from otx_seg.metrics.reliability import BINS, Reliability
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


def scores_table(scores: Scores, title: str | None = None, measured: Sequence[Measured] = ()) -> Table:
    """One row per label, absent ones with their false alarms included, then means; the first is without background.

    Args:
        scores: whose labels are shown.
        measured: the metrics to show; none: the usual ones.
    """
    shown = measured or usual(scores)
    columns = [found for found in shown if found.metric.of_label]
    made = table(
        ("label", *([found.metric.title for found in columns] or ["score"]), "pixels"),
        _label_rows(scores, columns),
        title,
    )
    made.add_section()
    means = {
        "mean over labels": [found.mean for found in columns],
        "with background": [found.with_background for found in columns],
    }
    for name, values in means.items():
        if any(value is not None for value in values):
            made.add_row(name, *map(_digits, values))
    names = [found.metric.name for found in columns]
    for found in shown:
        if found.metric.of_all:
            column = found.metric.column
            told = found.metric.title if column in (None, *names) else found.metric.name
            made.add_row(told, *([""] * names.index(column) if column in names else []), _digits(found.mean))
    return made


def confidence_line(reliability: Reliability | None) -> str:
    """How reliable a model's confidences are, in a line."""
    if reliability is None:
        return "confidences: none, since the model was exported with --argmax and gives masks alone"
    if reliability.error is None:
        return "confidences: no pixel is labelled to compare them with"
    return f"expected calibration error of the confidences: {reliability.error:.4f} ({BINS} bins)"


def _label_rows(scores: Scores, columns: Sequence[Measured]) -> Iterator[tuple[object, ...]]:
    for name, score in scores.per_label.items():
        values = [_digits(found.per_label.get(name)) for found in columns] or [""]
        yield (_told(name, scores), *values, f"{score.pixels_true:,}")
    for name in scores.absent:
        alarms = scores.false_alarms.get(name)
        cells = ["absent", "absent", *[""] * len(columns)][: max(1, len(columns))]
        yield (_told(name, scores), *cells, f"0, false alarms: {alarms:,}" if alarms else "0")


def _told(name: str, scores: Scores) -> str:
    return f"{name} (left out)" if name in scores.left_out else name


def _digits(score: float | None) -> str:
    return "" if score is None else f"{score:.4f}"


def as_text(*renderables: object) -> str:
    """What rich would print, as plain text 120 columns wide."""
    console = PlainConsole(file=io.StringIO(), width=120, color_system=None)
    for renderable in renderables:
        console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
