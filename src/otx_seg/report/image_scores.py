"""The scores of each image, as a file for spreadsheets and in a line."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from otx_seg.metrics.definitions import METRICS, Metric
from otx_seg.workspace.atomic import write_text

if TYPE_CHECKING:  # needs torch
    from otx_seg.metrics.counted_images import CountedImages

_TOLD = 3


def write_image_scores(
    counted: CountedImages, path: Path, asked: Sequence[Metric] = (), fold_of: Mapping[str, int] | None = None
) -> None:
    """Write the file, Dice, IoU and the metrics `asked` for of each image, the lowest Dice first; images without Dice
    come last. A field without a value is empty.

    Args:
        fold_of: the fold of each image in a cross-validation, for a column ``fold``; None: there is none.
    """
    columns = {metric.name: counted.of_images(metric) for metric in (METRICS["dice"], METRICS["iou"], *asked)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", *columns, *(() if fold_of is None else ("fold",))))
    dice = columns["dice"]
    for name in sorted(dice, key=lambda name: math.inf if (value := dice[name]) is None else value):
        values = ("" if value is None else f"{value:.4f}" for value in (column[name] for column in columns.values()))
        writer.writerow((name, *values, *(() if fold_of is None else (fold_of[name],))))
    write_text(path, text.getvalue())


def worst_images(counted: CountedImages) -> str:
    """The images with the lowest Dice; empty if none has a score."""
    return ", ".join(f"{name} {dice:.2f}" for name, dice in counted.worst(_TOLD))
