"""Every subset of the folders that `otx check` looks through, and what training would use each for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from otx_seg.annotations.samples import Subset
from otx_seg.datasets.check.problems import FileNote, Problem, of_unused, split_message
from otx_seg.datasets.chosen_subset import TRAINED_ON, VALIDATED_ON, choose_subset
from otx_seg.datasets.data_spec import Addition
from otx_seg.datasets.joined import with_additions
from otx_seg.datasets.label_map import through_map
from otx_seg.datasets.opening import find_subsets, format_of, known_formats
from otx_seg.datasets.split import Use
from otx_seg.errors import DataError, UsageError
from otx_seg.formats.layouts.folder import DEFAULT_SUBSET, SUBSETS, subset_name
from otx_seg.inputs.check_sources import Source, Sources


@dataclass(frozen=True)
class Opened:
    """A subset of one of the folders.

    Attributes:
        name: what it is called here.
        found: what it is called in its folder.
        kind: what it is for by its name.
        source: where it was found.
        format: what people call its format.
        subset: its samples; None where it cannot be opened.
        fault: why it cannot be opened, or None.
        use: what training would use it for.
    """

    name: str
    found: str
    kind: str
    source: Source
    format: str
    subset: Subset | None
    fault: Problem | None = None
    use: Use = "nothing"


def open_all(sources: Sources) -> tuple[list[Opened], list[Problem]]:
    """Every subset of every source that can be opened, the training images first; and what is wrong with the others.

    Args:
        sources: the folders, with what describes the images in them and what they are meant for; those of images alone
            are not looked at.

    Raises:
        UsageError: two folders lead to the same images, or there is no such format.
        DataError: a folder or file is missing, or in no layout that is known.
    """
    every = sorted(_each(sources), key=_order)
    if not every:
        return [], []
    problems: list[Problem] = []
    training = _choose(every, every[0].source, TRAINED_ON, "train on", problems) or every[0]
    every = [training, *(entry for entry in every if entry is not training)]
    validated = _validated_on(every, problems)
    every = [replace(entry, use=_use(entry, training, validated)) for entry in every]
    if sources.added:
        every = list(_with_added(every, sources.added))
    problems += [
        of_unused(entry.fault) if entry.use == "nothing" else entry.fault for entry in every if entry.fault is not None
    ]
    opened = [entry for entry in every if entry.subset is not None]
    _refuse_same([entry for entry in opened if entry.source.annotations is None])
    return opened, problems


def _each(sources: Sources) -> Iterator[Opened]:
    taken: set[str] = set()
    for source in sources.labelled:
        root, file = source.root, source.annotations
        name_of_format = format_of(root, sources.data_format, file)
        title = known_formats()[name_of_format].title
        for found, open_it in find_subsets(root, name_of_format, file).items():
            kind = _kind(found, source)
            name = f"{kind} in {root}" if kind in taken else kind
            taken.add(kind)
            try:
                subset = through_map(open_it(), sources.label_map, some=kind == "test")
                yield Opened(name, found, kind, source, title, subset)
            except DataError as error:
                what, advice = split_message(error, root)
                note = FileNote(str(root))
                fault = Problem("error", "cannot_be_opened", name, what, advice or "correct it", (note,))
                yield Opened(name, found, kind, source, title, None, fault)


def _kind(found: str, source: Source) -> str:
    """What images are for: what a file that describes them is for, else what their subset is called, or its folder
    where it is all that is there."""
    if source.annotations is not None and source.meant_for is not None:
        return source.meant_for
    folder = subset_name(source.root.resolve().name)
    return folder if found == DEFAULT_SUBSET and folder in SUBSETS else found


def _order(entry: Opened) -> tuple[bool, int]:
    """First what `otx train` would train on."""
    last = ("val", "test")
    of_kind = TRAINED_ON.index(entry.kind) if entry.kind in TRAINED_ON else len(TRAINED_ON) + (entry.kind in last)
    return entry.source.meant_for != "train", of_kind


def _choose(
    every: Sequence[Opened], source: Source, wanted: tuple[str, ...], purpose: str, problems: list[Problem]
) -> Opened | None:
    """The subset of a source that `otx train` would take; where it could not tell, that is one more of `problems`."""
    found = {entry.found: entry for entry in every if entry.source == source}
    try:
        return found[choose_subset(source.root, found, wanted, purpose)]
    except DataError as error:
        what, advice = split_message(error, source.root)
        problems.append(Problem("error", "which_subset", ", ".join(found), what, advice))
        return None


def _validated_on(every: Sequence[Opened], problems: list[Problem]) -> Opened | None:
    """What is meant to be validated on, else the subset val beside the training images, else one in its own folder.

    Args:
        every: the training images first.
    """
    training, *others = every
    apart = [entry for entry in others if entry.source != training.source]
    for entry in apart:
        if entry.source.meant_for == "val":
            return _choose(every, entry.source, VALIDATED_ON, "validate on", problems)
    beside = (entry for entry in others if entry.source == training.source and entry.found == "val")
    free = (entry for entry in apart if entry.source.meant_for != "test" and entry.kind in VALIDATED_ON)
    return next(beside, next(free, None))


def _use(entry: Opened, training: Opened, validated: Opened | None) -> Use:
    if entry is training:
        return "training"
    if entry is validated:
        return "validation"
    # What has been named by itself is there for some model to be tested on.
    return "test" if entry.kind == "test" or entry.source != training.source else "nothing"


def _with_added(every: Sequence[Opened], added: Sequence[Addition]) -> Iterator[Opened]:
    """The same with what was added to the training images, and its labels in those to validate on."""
    training = every[0]
    whole = None if training.subset is None else with_additions(training.subset, added)
    for entry in every:
        subset = entry.subset
        if entry is training:
            subset = whole
        elif entry.use == "validation" and subset is not None and whole is not None:
            subset = subset.with_labels(whole.labels)
        yield replace(entry, subset=subset)


def _refuse_same(opened: Sequence[Opened]) -> None:
    if len({entry.source for entry in opened}) < 2:
        return
    root_of: dict[str, Path] = {}
    for entry in opened:
        assert entry.subset is not None
        real = {folder: Path(folder).resolve() for folder in {sample.images_folder for sample in entry.subset.samples}}
        for sample in entry.subset.samples:
            root = root_of.setdefault(f"{real[sample.images_folder]}/{sample.name}", entry.source.root)
            if root != entry.source.root:
                raise UsageError(
                    f"{entry.subset.root}: lies in two of the --data-roots; name each folder once ({sample.image})"
                )
