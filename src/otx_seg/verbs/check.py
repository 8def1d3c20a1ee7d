"""`otx check`: whether data can be trained on, and what would make it better."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from otx_seg.configuration.facts import data_facts
from otx_seg.configuration.network import wanted_size
from otx_seg.datasets import DataSpec
from otx_seg.datasets.check.data_check import CheckedSubset, DataCheck, checked_subset
from otx_seg.datasets.check.findings import find_problems
from otx_seg.datasets.check.inspection import Inspection, inspect
from otx_seg.datasets.check.mask_faults import MaskFaults
from otx_seg.datasets.check.problems import SEVERITIES, FileNote, Problem
from otx_seg.datasets.scan import Progress, counter
from otx_seg.datasets.split import Use
from otx_seg.datasets.unlabelled import ImageSet, check_images, leave_out_copies, open_unlabelled
from otx_seg.errors import DataError, UsageError
from otx_seg.inputs.check_sources import Sources, sources_given, sources_of_workspace
from otx_seg.inputs.opened_data import open_all
from otx_seg.inputs.resolver import Weights, open_resolver
from otx_seg.words import count
from otx_seg.workspace.atomic import write_text
from otx_seg.workspace.data_folders import refuse_among_data

UNLABELLED = "unlabelled"
"""The kind of images without masks."""
LABELLED_TOO = "labelled_too"
"""The code of the problem that images without masks are there with masks too; a warning if all of them are."""
_BARE = "images without masks"
_COMPARED = ("training", "validation")


def check(
    data_roots: str | Path | Sequence[str | Path] | None = None,
    *,
    train_ann_files: str | Path | None = None,
    val_ann_files: str | Path | None = None,
    test_ann_files: str | Path | None = None,
    data_format: str | None = None,
    label_map: str | Path | None = None,
    workspace: str | Path | None = None,
    html: str | Path | None = None,
    load_weights: Weights = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> DataCheck:
    """Look at every image and mask of a data set. Nothing is written but the page, and what is asked for by
    `load_weights`.

    Args:
        data_roots: folders of labelled data, or of images alone; all subsets of all of them are checked together. None:
            those of the workspace.
        train_ann_files, val_ann_files, test_ann_files: COCO files that describe the images of one folder, or each
            those of a folder of its own, in this order. None: those of the workspace, with its folders.
        data_format: name of the format of the labelled data; None: that of the workspace, with its folders, else what
            it looks like.
        label_map: see `train`; None: that of the workspace, with its folders.
        workspace: see `train`.
        html: a page to write, with charts, pictures of the masks and all that is said about the data.
        load_weights: the folder of a run of `cross_validate`, or one or several models, whose probabilities are
            averaged: masks that contradict these networks are ranked, and written to ``mask_faults.html`` and
            ``mask_faults.csv``. None: masks are compared with no network.
        output: the folder of these files; None: a new one in the workspace.
        overwrite: replace the file `html`, or these files, if they are there.
        progress: called with what is being done, and the numbers of images done and to do.

    Raises:
        UsageError: a folder is named twice, there is no such format, it is not clear which file describes which
            folder, `html` or `output` cannot be written to or must not be replaced, or weights cannot be used, do not
            know a label of the data, or are of folds of other data.
        DataError: a folder is missing, or in no layout that is known, or there are no masks to compare with networks.
            All else that is wrong with the data is in the result.
    """
    resolver = open_resolver(workspace)
    given = [Path(root) for root in ([data_roots] if isinstance(data_roots, (str, Path)) else data_roots or ())]
    spec = DataSpec.given(
        data_format,
        label_map,
        train_annotations=train_ann_files,
        val_annotations=val_ann_files,
        test_annotations=test_ann_files,
    )
    sources = sources_given(given, spec) if given else sources_of_workspace(resolver, spec)
    page = Path(html) if html is not None else None
    if page is not None or load_weights is None:
        _refuse_page(page, overwrite, sources)
    if load_weights is None:
        if output is not None:
            raise UsageError("--output is for what --load-weights finds; leave it out, or name weights")
        return inspect_data(sources, page, progress)
    if not sources.labelled:
        raise DataError(
            f"{sources.bare[0]}: has images without masks, and --load-weights is for comparing masks with networks; "
            "leave it out, or give labelled data"
        )
    from otx_seg.labelling.judges import open_judges
    from otx_seg.verbs.check_masks import comparison  # which needs torch; the other checks begin sooner without it

    judges = open_judges(resolver.all_weights(load_weights))
    compare = comparison(judges, resolver.destination(output, overwrite), sources.folders, progress)
    return inspect_data(sources, page, progress, compare, judges.input_size)


def inspect_data(
    sources: Sources,
    page: Path | None,
    progress: Progress | None,
    compare: Callable[[Sequence[tuple[Inspection, Use]]], MaskFaults] | None = None,
    input_size: tuple[int, int] | None = None,
) -> DataCheck:
    """As `check`, of folders that may be known to be for something.

    Args:
        page: may be replaced.
        compare: finds masks that contradict networks, given every labelled subset and its use; None: none are compared.
        input_size: (height, width) in pixels of these networks; None: that which `otx train` chooses.
    """
    opened, problems = open_all(sources)
    inspections: list[Inspection] = []
    for entry in opened:
        assert entry.subset is not None
        done = counter(f"checking the {entry.name} images", len(entry.subset), progress)
        inspections.append(inspect(entry.name, entry.kind, entry.subset, done))
    input_size = input_size or _input_size(inspections)
    used = [(seen, entry.use) for seen, entry in zip(inspections, opened, strict=True)]
    problems += find_problems(used, input_size)
    subsets = [
        checked_subset(seen, entry.use, entry.format, input_size)
        for seen, entry in zip(inspections, opened, strict=True)
    ]
    pictures: dict[str, Sequence[str]] = {}
    for root in sources.bare:
        name = UNLABELLED if len(sources.bare) == 1 else f"{UNLABELLED} in {root}"
        images = open_unlabelled(root, sources.listed)
        figures, found, pictures[name] = _check_bare(name, images, root, progress)
        subsets.append(figures)
        learned_from = [seen for seen, entry in zip(inspections, opened, strict=True) if entry.use in _COMPARED]
        problems += [*found, *_labelled_among(name, images, pictures[name], learned_from)]
    label_map = None if sources.label_map is None else sources.label_map.source
    mask_faults = None if compare is None else compare(used)
    result = replace(_judged(subsets, problems), input_size=input_size, label_map=label_map, mask_faults=mask_faults)
    return result if page is None else _with_page(result, inspections, pictures, page)


def _input_size(inspections: Sequence[Inspection]) -> tuple[int, int] | None:
    """That which `otx train` chooses, time allowing, for the first subset whose masks show something."""
    for inspection in inspections:
        if any(inspection.report.pixels_per_label):
            return wanted_size(data_facts(inspection.report, inspection.subset.labels))
    return None


def _refuse_page(page: Path | None, overwrite: bool, sources: Sources) -> None:
    if page is None:
        if overwrite:
            raise UsageError("--overwrite is for the page; name it with --html")
        return
    place = page.resolve()
    refuse_among_data(page, sources.folders, "choose another --html")
    if place in [file.resolve() for file in sources.files]:
        raise UsageError(f"--html {page}: is an annotation file, which is never replaced; choose another")
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
        raise UsageError(f"--html {page}: cannot be written there ({error.strerror}); choose another path") from error


def _check_bare(
    name: str, images: ImageSet, root: Path, progress: Progress | None
) -> tuple[CheckedSubset, list[Problem], Sequence[str]]:
    """Figures, problems, and the paths of the images that can be read."""
    try:
        kept, damages, sizes = check_images(images, counter("checking the images", len(images), progress))
    except DataError as error:  # none can be read
        what = str(error).removeprefix(f"{images.root}: ")
        problem = Problem("error", "unreadable_files", name, what, "replace the files")
        return CheckedSubset(name, UNLABELLED, "training", root, _BARE, len(images), 0), [problem], ()
    problems = []
    if damages:
        broken = sorted(set(images.paths) - set(kept.paths))
        notes = (message.removeprefix(f"{path}: ") for path, message in zip(broken, damages, strict=True))
        files = tuple(map(FileNote, broken, notes))
        what = f"{len(damages):,} of {len(images):,} images cannot be read"
        advice = "repair the files; until then they are skipped"
        problems.append(Problem("warning", "unreadable_files", name, what, advice, files))
    if len(kept) < 2:
        what, advice = "a single image is not enough for contrast with others", "add images"
        problems.append(Problem("error", "single_image", name, what, advice))
    figures = (len(images), len(kept), sizes)
    return CheckedSubset(name, UNLABELLED, "training", root, _BARE, *figures), problems, kept.paths


def _labelled_among(
    name: str, images: ImageSet, readable: Sequence[str], inspections: Sequence[Inspection]
) -> Iterator[Problem]:
    """Images without masks that are trained or validated on with masks too; found as `otx train` finds them.

    Args:
        readable: the paths of those that can be read.
        inspections: of the subsets that these images are compared with.
    """
    labelled = {
        sample.image
        for inspection in inspections
        for sample, found in zip(inspection.subset.samples, inspection.samples, strict=True)
        if not found.finding.damage
    }
    if not labelled or not readable:
        return
    try:
        copies = leave_out_copies(images.without(set(images.paths) - set(readable)), labelled)[1]
    except DataError:  # all of them
        what, advice = "each of the images is also labelled", "give others: `otx train` refuses these"
        yield Problem("warning", LABELLED_TOO, name, what, advice)
        return
    if copies:
        what = f"{len(copies):,} of {count(len(images), 'image')} are also labelled"
        yield Problem(
            "note", LABELLED_TOO, name, what, "nothing: `otx train` leaves them out", tuple(map(FileNote, copies))
        )


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
