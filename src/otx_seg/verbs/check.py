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


class Source(NamedTuple):
    """A folder to look through.

    Attributes:
        root: the folder.
        annotations: a file to use instead of those in the folder; what it describes is one subset.
        kind: what that subset is for: train, val or test; None: as the folder is called.
    """

    root: Path
    annotations: Path | None = None
    kind: str | None = None


class Opened(NamedTuple):
    """A subset, what it is called here, what it is for, where it was found, and in which format it is."""

    name: str
    kind: str
    subset: Subset
    source: Source
    format: str


def check(
    data_roots: str | Path | Sequence[str | Path],
    *,
    train_ann_files: str | Path | None = None,
    val_ann_files: str | Path | None = None,
    test_ann_files: str | Path | None = None,
    data_format: str | None = None,
    html: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> DataCheck:
    """Look at every image and mask of a data set. Nothing is written but the page.

    Args:
        data_roots: folders of labelled data, or of images alone; all subsets of all of them are checked together.
        train_ann_files, val_ann_files, test_ann_files: COCO files that describe the images of one folder, or each
            those of a folder of its own, in this order.
        data_format: name of the format of the labelled data; None: what it looks like.
        html: a page to write, with charts, pictures of the masks and all that is said about the data.
        overwrite: replace the file `html` if there is one.
        progress: called with what is being done, and the numbers of images done and to do.

    Raises:
        UsageError: a folder is named twice, there is no such format, it is not clear which file describes which
            folder, or `html` is missing, cannot be written to, or must not be replaced.
        DataError: a folder is missing, or in no layout that is known. All else that is wrong with the data is in the
            result.
    """
    roots = [Path(root) for root in ([data_roots] if isinstance(data_roots, (str, Path)) else data_roots)]
    files = {"train": train_ann_files, "val": val_ann_files, "test": test_ann_files}
    named = {kind: Path(file) for kind, file in files.items() if file is not None}
    page = Path(html) if html is not None else None
    return check_sources(_sources(roots, named), data_format, page, overwrite, progress)


def check_sources(
    sources: Sequence[Source],
    data_format: str | None,
    page: Path | None,
    overwrite: bool,
    progress: Progress | None,
) -> DataCheck:
    """As `check`, with what describes each folder."""
    _refuse_repeated(sources)
    _refuse_page(page, overwrite, [source.root for source in sources])
    bare = [] if data_format else [source for source in sources if _is_bare(source)]
    opened, problems = _open([source for source in sources if source not in bare], data_format)
    inspections = []
    for name, kind, subset, _, _ in opened:
        counter = _counter(f"checking the {name} images", len(subset), progress)
        inspections.append(inspect(name, kind, subset, counter))
    input_size = _input_size(inspections)
    if inspections:
        problems += find_problems(inspections[0], inspections[1:], input_size)
    pairs = zip(inspections, opened, strict=True)
    subsets = [checked_subset(inspection, entry.format, input_size) for inspection, entry in pairs]
    pictures: dict[str, Sequence[str]] = {}
    for root in (source.root for source in bare):
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


def _sources(roots: Sequence[Path], files: dict[str, Path]) -> list[Source]:
    """The folders, each with what describes it.

    Raises:
        UsageError: there are neither as many files as folders nor files for a single folder.
    """
    if not files:
        return [Source(root) for root in roots]
    folders = list(roots) * len(files) if len(roots) == 1 else list(roots)
    if len(folders) != len(files):
        options = ", ".join(f"--{kind}-ann-files" for kind in files)
        raise UsageError(
            f"{options}: give --data-roots once, for the folder with all images, or once for each of these files, in "
            f"the order {', '.join(files)}"
        )
    return [Source(root, file, kind) for root, (kind, file) in zip(folders, files.items(), strict=True)]


def _is_bare(source: Source) -> bool:
    return source.annotations is None and source.root.is_dir() and holds_bare_images(source.root)


def _refuse_repeated(sources: Sequence[Source]) -> None:
    if not sources:
        raise UsageError("--data-roots is missing; name the folder of the data")
    seen = set()
    for root, file, _ in sources:
        place = (root.resolve(), None if file is None else file.resolve())
        if place in seen:
            what = "--data-roots; name each folder once" if file is None else "the files of annotations; name it once"
            raise UsageError(f"{root if file is None else file}: is named twice in {what}")
        seen.add(place)


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


def _open(sources: Sequence[Source], data_format: str | None) -> tuple[list[Opened], list[Problem]]:
    """Every subset of every folder, the training images first; and what cannot be opened."""
    opened: list[Opened] = []
    problems = []
    taken: set[str] = set()
    for source in sources:
        root = source.root
        name_of_format = format_of(root, data_format, source.annotations)
        title = known_formats()[name_of_format].title
        for found, open_it in find_subsets(root, name_of_format, source.annotations).items():
            kind = source.kind or _kind(found, root)
            name = f"{kind} in {root}" if kind in taken else kind
            taken.add(kind)
            try:
                opened.append(Opened(name, kind, open_it(), source, title))
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
    """
    Raises:
        UsageError: one folder was reached from two others, as part of a data set and by its own name.
    """
    found_from: dict[Path, Source] = {}
    for entry in opened:
        source = found_from.setdefault(entry.subset.root.resolve(), entry.source)
        if source != entry.source and source.annotations is None and entry.source.annotations is None:
            raise UsageError(f"{entry.subset.root}: lies in two of the --data-roots; name each folder once")


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
