"""The scores of each image, as a file for spreadsheets and in a line."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from otx_seg.workspace.atomic import write_text

if TYPE_CHECKING:  # needs torch
    from otx_seg.metrics.counted_images import CountedImages

_TOLD = 3


def write_image_scores(counted: CountedImages, path: Path) -> None:
    """Write ``file,dice,iou`` of each image, the lowest Dice first; images without a score last, with empty fields."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "dice", "iou"))
    for name, score in counted.worst(len(counted.files)):
        writer.writerow((name, f"{score.dice:.4f}", f"{score.iou:.4f}"))
    for name, found in counted.scores().items():
        if found is None:
            writer.writerow((name, "", ""))
    write_text(path, text.getvalue())


def worst_images(counted: CountedImages) -> str:
    """The images with the lowest Dice; empty if none has a score."""
    return ", ".join(f"{name} {score.dice:.2f}" for name, score in counted.worst(_TOLD))
