"""The result of a learning-rate range test: its files, and a sentence."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from otx_seg.report.pictures import draw_rates
from otx_seg.training import rate_range
from otx_seg.training.rate_range import RatePoint
from otx_seg.workspace.atomic import write_text
from otx_seg.workspace.run_folder import RunFolder


def write_rates(points: Sequence[RatePoint], rate: float | None, run: RunFolder) -> None:
    """Write the table and the picture.

    Args:
        rate: the proposed one, or None.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("step", "rate", "loss", "smoothed_loss"))
    for point in points:
        writer.writerow((point.step, *(f"{value:.6g}" for value in point[1:])))
    write_text(run.rate_range, text.getvalue())
    draw_rates(points, rate, run.rate_picture)


def describe_rates(points: Sequence[RatePoint], rate: float | None) -> str:
    """What was found, in a sentence."""
    if not points:
        return "the loss was no number at the first step: no learning rate can be proposed"
    first, lowest, last = points[0], min(points, key=lambda point: point.smoothed), points[-1]
    end = ", where it diverged" if last.step < rate_range.STEPS else ""
    rates = f"rates from {first.rate:.2g} to {last.rate:.2g}{end}"
    if rate is None:
        return f"the loss never fell clearly at {rates}: no learning rate can be proposed"
    return f"{rates}: the smoothed loss is lowest at {lowest.rate:.2g}; proposed: a tenth of that, {rate:g}"
