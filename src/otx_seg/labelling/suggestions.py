"""Suggestions of what to label next: the chosen images with the reasons."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from otx_seg.datasets import ImageSet
from otx_seg.errors import DataError
from otx_seg.inputs.labelled import LabelledSubsets
from otx_seg.labelling.choosing import Candidate, Choice, choose
from otx_seg.labelling.measuring import Pool, measure
from otx_seg.labelling.methods import USES_FEATURES
from otx_seg.labelling.models import Models
from otx_seg.words import count as counted

_COLUMNS = ("rank", "file", "score", "uncertainty_bits", "disagreement_bits", "distance", "nearest", "stands_for")


@dataclass(frozen=True)
class Suggestion:
    """An image to label.

    Attributes:
        path: of the image.
        name: its path below the folder of the unlabelled images.
        by_uncertainty: its place among the new images by uncertainty, 1 for the most uncertain.
        candidate, choice: the figures.
    """

    path: Path
    name: str
    by_uncertainty: int
    candidate: Candidate
    choice: Choice


@dataclass(frozen=True)
class Suggested:
    """The outcome of `suggest_images`.

    Attributes:
        suggestions: the image to label first in front.
        new: how many images there were to choose from: neither copies nor unreadable; near copies count.
        images: how many there were in all.
        labelled: how many labelled images there were to compare with.
        copies: how many were labelled already, or there twice.
        near_copies: how many of the new ones were passed over because they show the same as a labelled or chosen one.
        unreadable: those that could not be read, and why.
    """

    suggestions: tuple[Suggestion, ...]
    new: int
    images: int
    labelled: int
    copies: int
    near_copies: int
    unreadable: tuple[tuple[Path, str], ...]

    def left_out(self) -> str:
        """How many of the images are none to choose, and why; empty if all are."""
        parts = (
            (self.copies, "labelled already or there twice"),
            (self.near_copies, "nearly equal to a labelled or suggested one"),
            (len(self.unreadable), "unreadable"),
        )
        return ", ".join(f"{number:,} {what}" for number, what in parts if number)


def suggest_images(
    images: ImageSet,
    labelled: LabelledSubsets,
    models: Models,
    count: int,
    method: str,
    seed: int,
    progress: Callable[[int, int], None],
) -> Suggested:
    """Choose images to label, see `choose`.

    Args:
        count: at most so many.
        progress: called with the numbers of images done and to do.

    Raises:
        DataError: no image is new, or none can be read.
        UsageError: the method needs features and the first model keeps none, or a model gives masks.
    """
    pool, known = measure(images, labelled, models, method in USES_FEATURES, progress)
    choices = choose(pool.candidates, known, count, method, seed) if pool.candidates else None
    chosen = () if choices is None else choices.chosen
    near_copies = 0 if choices is None else len(choices.near_copies)
    suggestions = tuple(_suggestion(pool, choice) for choice in chosen)
    found = Suggested(
        suggestions, len(pool.candidates), len(images), len(known), len(pool.copies), near_copies, pool.unreadable
    )
    if not suggestions:
        raise DataError(
            f"{images.root}: none of {counted(len(images), 'image')} is new: {found.left_out()}; give others"
        )
    return found


def _suggestion(pool: Pool, choice: Choice) -> Suggestion:
    candidate = pool.candidates[choice.candidate]
    place = 1 + sum(other.uncertainty > candidate.uncertainty for other in pool.candidates)
    return Suggestion(Path(pool.paths[choice.candidate]), candidate.name, place, candidate, choice)


def as_csv(suggestions: Iterable[Suggestion]) -> str:
    """A line for each, with a header; an empty cell where there is no such figure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for rank, one in enumerate(suggestions, start=1):
        figures = (one.choice.score, one.candidate.uncertainty, one.candidate.disagreement, one.choice.distance)
        shown = ("" if figure is None else f"{figure:.4f}" for figure in figures)
        writer.writerow(
            (rank, Path(one.name).as_posix(), *shown, one.choice.nearest or "", one.choice.stands_for or "")
        )
    return text.getvalue()


def files_in_csv(text: str) -> Sequence[str]:
    """The column ``file`` of what `as_csv` gave; of any other text nothing."""
    rows = csv.DictReader(io.StringIO(text))
    return [row["file"] for row in rows if row.get("file")] if tuple(rows.fieldnames or ()) == _COLUMNS else []
