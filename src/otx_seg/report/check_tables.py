"""The outcome of checking data, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from otx_seg.datasets.check.data_check import CheckedSubset, DataCheck
from otx_seg.datasets.check.problems import Problem, size_text
from otx_seg.datasets.check.twins import Twin
from otx_seg.report.console import Cell
from otx_seg.runtime.terminal import as_message
from otx_seg.words import count, label_share, listed

FIRST_FILES = 3
"""Files of a problem that are shown on the screen; JSON and the page have more."""
_FIRST_SIZES = 3
_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def check_parts(result: DataCheck) -> Iterator[Table | Text]:
    """The printed parts of a data check: the subsets, their labels, the verdict, and the problems with advice."""
    yield _subsets(result)
    labelled = [subset for subset in result.subsets if subset.labels]
    if labelled and result.label_map is not None:
        yield Text(as_message(label_map_explained(result)), "dim")
    if labelled:
        yield _labels(labelled)
    explained = ceilings_explained(result)
    if explained:
        yield Text(explained, "dim")
    yield Text(f"The data is {result.verdict}.", "bold" if result.usable_for else "bold red")
    for problem in result.problems:
        yield _problem(problem)


def sizes_text(subset: CheckedSubset) -> str:
    """The most frequent sizes, each with the number of images where there are several."""
    sizes = [size_text(size) for size, _ in subset.sizes[:_FIRST_SIZES]]
    if len(sizes) > 1:
        sizes = [f"{number:,} of {text}" for text, (_, number) in zip(sizes, subset.sizes, strict=False)]
    more = len(subset.sizes) - _FIRST_SIZES
    return ", ".join([*sizes, *([f"{more:,} more sizes"] if more > 0 else [])]) or "-"


def label_map_explained(result: DataCheck) -> str:
    """What changed the labels of the data; empty if nothing did."""
    return "" if result.label_map is None else f"The labels are those after the label map {result.label_map}."


def ceilings_explained(result: DataCheck) -> str:
    """What the ceilings of the labels are of; empty where there are none."""
    if result.input_size is None or not any(label.ceilings for subset in result.subsets for label in subset.labels):
        return ""
    return (
        f"Dice at most: of a perfect network with the input size {size_explained(result)}, and an output of 1/8, 1/4 "
        "or 1/2 of it."
    )


def size_explained(result: DataCheck) -> str:
    """The input size, and whose it is."""
    assert result.input_size is not None
    height, width = result.input_size
    whose = "which these images get with enough time" if result.mask_faults is None else "that of the given weights"
    return f"{height}x{width}, {whose}"


def _table(*headings: RenderableType) -> Table:
    made = Table(header_style="bold", box=SIMPLE_HEAD, show_edge=False, padding=(0, 2, 0, 0))
    for number, heading in enumerate(headings):
        made.add_column(heading, justify="left" if number == 0 else "right", overflow="fold")
    return made


def _subsets(result: DataCheck) -> Table:
    made = _table("subset", "images", "usable", "width x height")
    made.add_column("format", justify="left")
    for subset in result.subsets:
        figures = (f"{subset.samples:,}", f"{subset.images:,}", sizes_text(subset), subset.data_format)
        made.add_row(Cell(subset.name), *figures)
    return made


def _labels(subsets: list[CheckedSubset]) -> Table:
    heads = [text for subset in subsets for text in (Group(Cell(subset.name), "% of pixels"), "\nimages")]
    reachable = {label.name: label.ceilings for subset in subsets for label in subset.labels if label.ceilings}
    heads += ["Dice at most\n1/8  1/4  1/2"] if reachable else []
    made = _table("label", *heads)
    for name in dict.fromkeys(label.name for subset in subsets for label in subset.labels):
        row = []
        for subset in subsets:
            label = next((label for label in subset.labels if label.name == name), None)
            row += ["-", "-"] if label is None else [label_share(label.share), f"{label.images:,}"]
        row += [" ".join(f"{dice:.2f}" for dice in reachable.get(name, {}).values()) or "-"] if reachable else []
        made.add_row(Cell(name), *row)
    return made


def _problem(problem: Problem) -> Text:
    shown = Text()
    shown.append(problem.severity.capitalize(), _STYLES[problem.severity])
    shown.append(as_message(f"  {problem.subset}: {problem.what}") + "\n")
    for note in problem.files[:FIRST_FILES]:
        shown.append(as_message(f"    {note.path}{': ' if note.note else ''}{note.note}") + "\n", "dim")
    more = len(problem.files) - FIRST_FILES
    if more > 0:
        shown.append(f"    and {more:,} more\n", "dim")
    shown.append(as_message(f"  -> {problem.advice}"))
    return shown


def twin_lines(left_out: Sequence[Twin], replaced: Sequence[Twin]) -> Iterator[str]:
    """A line for each kind of new images that were there already, with the first of them.

    Args:
        left_out, replaced: see `otx_seg.verbs.add_data.AddedData`.
    """
    others = [twin for twin in left_out if twin.use != "training"]
    trained_on = [twin for twin in left_out if twin.use == "training"]
    kinds = {
        "left out, trained on already with the same mask": [twin for twin in trained_on if twin.same_mask],
        "left out, trained on already: the new mask is a prediction that nobody has corrected": [
            twin for twin in trained_on if not twin.same_mask
        ],
        "with another mask than before, which the new one replaces": replaced,
    }
    for use, verb in (("validation", "validated"), ("test", "tested")):
        of_use = [twin for twin in others if twin.use == use]
        kinds[f"left out, {verb} on"] = [twin for twin in of_use if twin.same_mask]
        differing = f"left out, {verb} on with another mask, which stays: scores with a new one would not be comparable"
        kinds[differing] = [twin for twin in of_use if not twin.same_mask]
    for kind, twins in kinds.items():
        if twins:
            named = listed([f"{twin.path} (as {twin.known_path})" for twin in twins], FIRST_FILES)
            yield f"{count(len({twin.path for twin in twins}), 'image')} {kind}: {as_message(named)}"
