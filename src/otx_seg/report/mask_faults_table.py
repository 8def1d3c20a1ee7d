"""Masks that contradict a network: a file to work through, and the first of them for the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from rich.text import Text

from otx_seg.datasets.check.mask_faults import MaskFaults
from otx_seg.runtime.terminal import as_message
from otx_seg.workspace.atomic import write_text

_FIRST = 10
_COLUMNS = ("rank", "subset", "file", "kind", "in_mask", "predicted", "x", "y", "width", "height", "pixels", "score")


def write_mask_faults(found: MaskFaults, path: Path) -> None:
    """Write ``mask_faults.csv``: a row for each contradiction, those of a mask one below the other, in the order of the
    masks. Boxes and pixels are those of the image; a row about a mask as a whole has all of it as its box.

    Raises:
        OSError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for mask in found.masks:
        for one in mask.contradictions:
            place = (mask.rank, mask.subset, mask.file)
            writer.writerow((*place, one.kind, one.in_mask, one.predicted, *one.box, one.pixels, f"{one.score:.2f}"))
    write_text(path, text.getvalue())


def mask_faults_lines(found: MaskFaults) -> Iterator[Text]:
    """What is printed: the verdict, the first masks with what seems to be wrong most of all, and the files."""
    yield Text(as_message(f"{found.verdict}."), "bold")
    yield Text(as_message(f"{found.judged_by[0].upper()}{found.judged_by[1:]}."))
    if found.caution:
        yield Text(as_message(f"Warning: {found.caution}."), "yellow")
    for mask in found.masks[:_FIRST]:
        what = f"{mask.kind}: {mask.contradictions[0].in_words}"
        yield Text(as_message(f"{mask.rank}. {mask.file}, score {mask.score:.1f}") + as_message(f"\n    {what}"))
    yield Text(as_message(f"To work through: {found.page} and {found.table}"))
