"""`otx check`: whether data can be trained on, and what would make it better."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from otx_seg.datasets.data_check import CheckedSubset, DataCheck, checked_subset
from otx_seg.datasets.findings import find_problems
from otx_seg.datasets.inspection import Inspection, inspect
from otx_seg.datasets.problems import SEVERITIES, FileNote, Problem
from otx_seg.datasets.split import Use
from otx_seg.datasets.unlabelled import ImageSet, check_images, holds_bare_images, open_unlabelled
from otx_seg.errors import DataError, UsageError
from otx_seg.template import default_template, load
from otx_seg.verbs.data import Progress, counter, outermost
from otx_seg.verbs.opened_data import NOT_SAID, Meant, open_all
from otx_seg.verbs.place import Place, open_place
from otx_seg.workspace.atomic import write_text
from otx_seg.workspace.data_folders import refuse_among_data

UNLABELLED = "unlabelled"
"""The kind of images without masks."""
_BARE = "images without masks"


@dataclass(frozen=True)
class Folders:
    """Where the data is.

    Attributes:
        labelled: folders of images and masks.
        bare: folders of images alone.
        listed: a file that names those images in `bare` that count; None: all.
        meant: what some of `labelled` are for.
    """

    labelled: list[Path]
    bare: list[Path]
    listed: Path | None = None
    meant: Meant = NOT_SAID

    @property
    def all(self) -> list[Path]:
        return [*self.labelled, *self.bare]


def check(
    data_roots: str | Path | Sequence[str | Path] | None = None,
    *,
    data_format: str | None = None,
    workspace: str | Path | None = None,
    html: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> DataCheck:
    """Look at every image and mask of a data set. Nothing is written but the page.

    Args:
        data_roots: folders of labelled data, or of images alone; all subsets of all of them are checked together. None:
            those of the workspace.
        data_format: name of the format of the labelled data; None: what it looks like.
        workspace: see `train`.
        html: a page to write, with charts, pictures of the masks and all that is said about the data.
        overwrite: replace the file `html` if there is one.
        progress: called with what is being done, and the numbers of images done and to do.

    Raises:
        UsageError: a folder is named twice, there is no such format, or `html` is missing, cannot be written to, or
            must not be replaced.
        DataError: a folder is missing, or in no layout that is known. All else that is wrong with the data is in the
            result.
    """
    place = open_place(workspace)
    given = [Path(root) for root in ([data_roots] if isinstance(data_roots, (str, Path)) else data_roots or ())]
    _refuse_twice(given)
    folders = _given(given, data_format) if given else _of_workspace(place)
    return look_through(folders, data_format, Path(html) if html is not None else None, overwrite, progress)


def look_through(
    folders: Folders, data_format: str | None, page: Path | None, overwrite: bool, progress: Progress | None
) -> DataCheck:
    """As `check`, of folders that may be known to be for something."""
    _refuse_page(page, overwrite, folders.all)
    opened, problems = open_all(folders.labelled, data_format, folders.meant)
    input_size = load(default_template()).input_size
    inspections: list[tuple[Inspection, Use]] = []
    subsets: list[CheckedSubset] = []
    for entry in opened:
        assert entry.subset is not None
        count = counter(f"checking the {entry.name} images", len(entry.subset), progress)
        inspection = inspect(entry.name, entry.kind, entry.subset, input_size, count)
        inspections.append((inspection, entry.use))
        subsets.append(checked_subset(inspection, entry.use, entry.format))
    problems += find_problems(inspections, input_size)
    for root in folders.bare:
        name = UNLABELLED if len(folders.bare) == 1 else f"{UNLABELLED} in {root}"
        images, found = _check_bare(name, open_unlabelled(root, folders.listed), root, progress)
        subsets.append(images)
        problems += found
    result = _judged(subsets, problems)
    return result if page is None else _with_page(result, [inspection for inspection, _ in inspections], page)


def _given(roots: list[Path], data_format: str | None) -> Folders:
    bare = [] if data_format else [root for root in roots if root.is_dir() and holds_bare_images(root)]
    return Folders([root for root in roots if root not in bare], bare)


def _of_workspace(place: Place) -> Folders:
    """
    Raises:
        UsageError: there is no workspace, or none of its folders is known.
        DataError: one of its folders is missing.
    """
    parts = place.labelled_roots("--data-roots")
    labelled = list(outermost(parts.values()))
    unlabelled, listed = place.root(None, "unlabeled"), place.file_list(None)
    named = place.template(None)
    assert named is not None
    if "train" in parts and load(named).hyper_parameters.algo_backend.train_type == "Selfsupervised":
        return Folders([], [parts["train"]])
    bare = [] if unlabelled is None else [Path(unlabelled)]
    return Folders(labelled, bare, None if listed is None else Path(listed), Meant(**parts))


def _refuse_twice(roots: Sequence[Path]) -> None:
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
    refuse_among_data(page, roots, "choose another --html")
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


def _check_bare(
    name: str, images: ImageSet, root: Path, progress: Progress | None
) -> tuple[CheckedSubset, list[Problem]]:
    try:
        kept, damages = check_images(images, counter("checking the images", len(images), progress))
    except DataError as error:  # none can be read
        what = str(error).removeprefix(f"{images.root}: ")
        problem = Problem("error", "unreadable_files", name, what, "replace the files")
        return CheckedSubset(name, UNLABELLED, "training", root, _BARE, len(images), 0), [problem]
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
    return CheckedSubset(name, UNLABELLED, "training", root, _BARE, len(images), len(kept)), problems


def _judged(subsets: Sequence[CheckedSubset], problems: Sequence[Problem]) -> DataCheck:
    ordered = tuple(sorted(problems, key=lambda problem: SEVERITIES.index(problem.severity)))
    if ordered and ordered[0].severity == "error":
        return DataCheck(tuple(subsets), ordered, None)
    labelled = any(subset.labels for subset in subsets)
    return DataCheck(tuple(subsets), ordered, "training" if labelled else "self-supervised training")


def _with_page(result: DataCheck, inspections: Sequence[Inspection], page: Path) -> DataCheck:
    from otx_seg.report.check_page import draw_page

    write_text(page, draw_page(result, inspections))
    return replace(result, page=page)
