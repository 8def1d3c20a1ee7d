"""How certain a model was of each image, as a file for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from otx_seg.inference.certainty import Certainty
from otx_seg.workspace.atomic import write_text


def write_image_certainty(
    certainties: Mapping[str, Certainty], labels: Sequence[str], threshold: float, path: Path
) -> None:
    """Write the file: mean confidence, mean entropy in bits, the share of the pixels whose confidence is below the
    threshold, and the share of each label, for each image, the least confident first.

    Args:
        certainties: by the name of the image.
        labels: their names, in the order of `Certainty.per_label`.

    Raises:
        OSError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    shares = [f"share of {name}" for name in labels]
    writer.writerow(("file", "mean_confidence", "mean_entropy_bits", f"share_below_{threshold:g}", *shares))
    for name, found in sorted(certainties.items(), key=lambda item: item[1].mean_confidence):
        figures = (found.mean_confidence, found.mean_entropy, found.below_threshold, *found.per_label)
        writer.writerow((name, *(f"{figure:.4f}" for figure in figures)))
    write_text(path, text.getvalue())
