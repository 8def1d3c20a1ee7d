"""`otx check`: whether data can be trained on, and what would make it better."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from otx_seg.configuration.facts import data_facts
from otx_seg.configuration.network import wanted_size
from otx_seg.datasets.data_check import CheckedSubset, DataCheck, checked_subset
from otx_seg.datasets.findings import find_problems
from otx_seg.datasets.folder import DEFAULT_SUBSET, subset_name
from otx_seg.datasets.inspection import Inspection, inspect
from otx_seg.datasets.opening import find_subsets, format_of, known_formats
from otx_seg.datasets.problems import SEVERITIES, FileNote, Problem
from otx_seg.datasets.samples import Subset
from otx_seg.datasets.unlabelled import check_images, holds_bare_images, open_unlabelled
from otx_seg.errors import DataError, UsageError
from otx_seg.workspace.atomic import write_text

Progress = Callable[[str, int, int], None]

_KNOWN = ("train", "val", "test")
UNLABELLED = "unlabelled"
"""The kind of images without masks."""
_BARE = "images without masks"


class Opened(NamedTuple):
    """A subset, what it is called here, what it is for, and in which format it is."""

    name: str
    kind: str
    subset: Subset
    format: str


def check(
    data_roots: str | Path | Sequence[str | Path],
    *,
    data_format: str | None = None,
    html: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> DataCheck:
    """Look at every image and mask of a data set. Nothing is written but the page.

    Args:
        data_roots: folders of labelled data, or of images alone; all subsets of all of them are checked together.
        data_format: name of the format of the labelled data; None: what it looks like.
        html: a page to write, with charts, pictures of the masks and all that is said about the data.
        overwrite: replace the file `html` if there is one.
        progress: called with what is being done, and the numbers of images done and to do.

    Raises:
        UsageError: a folder is named twice, there is no such format, or `html` is missing, cannot be written to, or
            must not be replaced.
        DataError: a folder is missing, or in no layout that is known. All else that is wrong with the data is in the
            result.
    """
    roots = [Path(root) for root in ([data_roots] if isinstance(data_roots, (str, Path)) else data_roots)]
    page = Path(html) if html is not None else None
    _refuse_roots(roots)
    _refuse_page(page, overwrite, roots)
    bare = [] if data_format else [root for root in roots if root.is_dir() and holds_bare_images(root)]
    opened, problems = _open([root for root in roots if root not in bare], data_format)
    inspections = []
    for name, kind, subset, _ in opened:
        counter = _counter(f"checking the {name} images", len(subset), progress)
        inspections.append(inspect(name, kind, subset, counter))
    input_size = _input_size(inspections)
    if inspections:
        problems += find_problems(inspections[0], inspections[1:], input_size)
    pairs = zip(inspections, opened, strict=True)
    subsets = [checked_subset(inspection, entry.format, input_size) for inspection, entry in pairs]
    pictures: dict[str, Sequence[str]] = {}
    for root in bare:
        name = UNLABELLED if len(bare) == 1 else f"{UNLABELLED} in {root}"
        images, found, kept = _check_bare(name, root, progress)
        subsets.append(images)
        problems += found
        pictures[name] = kept
    result = replace(_judged(subsets, problems), input_size=input_size)
    return result if page is None else _with_page(result, inspections, pictures, page)


def _input_size(inspections: Sequence[Inspection]) -> tuple[int, int] | None:
    """That which `otx train` chooses, time allowing, for the first subset whose masks show something."""
    for inspection in inspections:
        if any(inspection.report.pixels_per_label):
            return wanted_size(data_facts(inspection.report, inspection.subset.labels.names, work=1.0))
    return None


def _refuse_roots(roots: Sequence[Path]) -> None:
    if not roots:
        raise UsageError("--data-roots is missing; name the folder of the data")
    real = [root.resolve() for root in roots]
    for number, root in enumerate(real):
        if root in real[:number]:
            raise UsageError(f"{roots[number]}: is named twice in --data-roots; name each folder once")


def _refuse_page(page: Path | None, overwrite: bool, roots: Iterable[Path]) -> None:
    if page is None:
        if overwrite:
            raise UsageError("--overwrite is for the page; name it with --html")
        return
    place = page.resolve()
    inside = [root for root in roots if root.resolve() in place.parents]
    if inside:
        raise UsageError(
            f"--html {page}: lies in {inside[0]}, a folder of data; nothing is written there, choose another"
        )
    if page.is_dir():
        raise UsageError(f"--html {page}: is a folder; name a file, {page / 'check.html'} for example")
    if page.exists() and not overwrite:
        raise UsageError(f"--html {page}: there is such a file; choose another, or allow replacing it with --overwrite")
    if any(parent.is_file() for parent in place.parents):
        raise UsageError(f"--html {page}: there cannot be a file below another file; choose another")
    try:
        # Better now than after many images.
        with tempfile.TemporaryFile(dir=next(parent for parent in place.parents if parent.is_dir())):
            pass
    except OSError as error:
        raise UsageError(f"--html {page}: cannot be written there ({error.strerror}); choose another place") from error


def _open(roots: Sequence[Path], data_format: str | None) -> tuple[list[Opened], list[Problem]]:
    """Every subset of every folder, the training images first; and what cannot be opened."""
    opened: list[Opened] = []
    problems = []
    taken: set[str] = set()
    for root in roots:
        name_of_format = format_of(root, data_format)
        title = known_formats()[name_of_format].title
        for found, open_it in find_subsets(root, name_of_format).items():
            kind = _kind(found, root)
            name = f"{kind} in {root}" if kind in taken else kind
            taken.add(kind)
            try:
                opened.append(Opened(name, kind, open_it(), title))
            except DataError as error:
                what, _, advice = str(error).removeprefix(f"{root}: ").partition("; ")
                note = FileNote(str(root))
                problems.append(Problem("error", "cannot_be_opened", name, what, advice or "correct it", (note,)))
    _refuse_same(opened)
    return sorted(opened, key=_order), problems


def _kind(found: str, root: Path) -> str:
    """What images are for: as their subset is called, or its folder where it is all that is there."""
    folder = subset_name(root.resolve().name)
    return folder if found == DEFAULT_SUBSET and folder in _KNOWN else found


def _refuse_same(opened: Sequence[Opened]) -> None:
    seen = set()
    for entry in opened:
        folder = entry.subset.root.resolve()
        if folder in seen:
            raise UsageError(f"{entry.subset.root}: lies in two of the --data-roots; name each folder once")
        seen.add(folder)


def _order(entry: Opened) -> int:
    """First what `otx train` would train on."""
    first = ("train", DEFAULT_SUBSET)
    last = ("val", "test")
    return first.index(entry.kind) if entry.kind in first else len(first) + (entry.kind in last)


def _check_bare(name: str, root: Path, progress: Progress | None) -> tuple[CheckedSubset, list[Problem], Sequence[str]]:
    """Figures, problems, and the paths of the images that can be read."""
    images = open_unlabelled(root)
    try:
        kept, damages, sizes = check_images(images, _counter("checking the images", len(images), progress))
    except DataError as error:  # none can be read
        what = str(error).removeprefix(f"{images.root}: ")
        problem = Problem("error", "unreadable_files", name, what, "replace the files")
        return CheckedSubset(name, UNLABELLED, root, _BARE, len(images), 0), [problem], ()
    problems = []
    if damages:
        broken = sorted(set(images.paths) - set(kept.paths))
        notes = (message.removeprefix(f"{path}: ") for path, message in zip(broken, damages, strict=True))
        files = tuple(map(FileNote, broken, notes))
        what = f"{len(damages):,} of {len(images):,} images cannot be read"
        advice = "replace the files; until then they are left out"
        problems.append(Problem("warning", "unreadable_files", name, what, advice, files))
    if len(kept) < 2:
        what, advice = "a single image is too little to compare with others", "add images"
        problems.append(Problem("error", "single_image", name, what, advice))
    return CheckedSubset(name, UNLABELLED, root, _BARE, len(images), len(kept), sizes), problems, kept.paths


def _judged(subsets: Sequence[CheckedSubset], problems: Sequence[Problem]) -> DataCheck:
    ordered = tuple(sorted(problems, key=lambda problem: SEVERITIES.index(problem.severity)))
    if ordered and ordered[0].severity == "error":
        return DataCheck(tuple(subsets), ordered, None)
    labelled = any(subset.labels for subset in subsets)
    return DataCheck(tuple(subsets), ordered, "training" if labelled else "self-supervised training")


def _with_page(
    result: DataCheck, inspections: Sequence[Inspection], pictures: Mapping[str, Sequence[str]], page: Path
) -> DataCheck:
    from otx_seg.report.check_page import draw_page

    write_text(page, draw_page(result, inspections, pictures))
    return replace(result, page=page)


def _counter(what: str, total: int, progress: Progress | None) -> Callable[[int], None] | None:
    return None if progress is None else lambda done: progress(what, done, total)
