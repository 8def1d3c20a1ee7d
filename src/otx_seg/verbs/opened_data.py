"""Every subset of the folders that `otx check` looks through, and what training would use each for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from otx_seg.datasets.folder import DEFAULT_SUBSET, SUBSETS, subset_name
from otx_seg.datasets.opening import find_subsets, format_of, known_formats
from otx_seg.datasets.problems import FileNote, Problem, of_unused
from otx_seg.datasets.samples import Subset
from otx_seg.datasets.split import TRAINED_ON, Use, choose_subset
from otx_seg.errors import DataError, UsageError


@dataclass(frozen=True)
class Opened:
    """A subset of one of the folders.

    Attributes:
        name: what it is called here.
        found: what it is called in its folder.
        kind: what it is for by its name.
        root: its folder.
        format: what people call its format.
        subset: its samples; None where it cannot be opened.
        fault: why it cannot be opened, or None.
        use: what training would use it for.
    """

    name: str
    found: str
    kind: str
    root: Path
    format: str
    subset: Subset | None
    fault: Problem | None = None
    use: Use = "nothing"


def open_all(roots: Sequence[Path], data_format: str | None) -> tuple[list[Opened], list[Problem]]:
    """Every subset of every folder that can be opened, the training images first; and what is wrong with the others.

    Raises:
        UsageError: two folders lead to the same images, or there is no such format.
        DataError: a folder is missing, or in no layout that is known.
    """
    every = sorted(_each(roots, data_format), key=_order)
    problems = _which_to_train_on(every)
    every = [replace(entry, use=use) for entry, use in zip(every, _uses(every), strict=True)]
    problems += [
        of_unused(entry.fault) if entry.use == "nothing" else entry.fault for entry in every if entry.fault is not None
    ]
    opened = [entry for entry in every if entry.subset is not None]
    _refuse_same(opened)
    return opened, problems


def _each(roots: Sequence[Path], data_format: str | None) -> Iterator[Opened]:
    taken: set[str] = set()
    for root in roots:
        name_of_format = format_of(root, data_format)
        title = known_formats()[name_of_format].title
        for found, open_it in find_subsets(root, name_of_format).items():
            kind = _kind(found, root)
            name = f"{kind} in {root}" if kind in taken else kind
            taken.add(kind)
            try:
                yield Opened(name, found, kind, root, title, open_it())
            except DataError as error:
                what, _, advice = str(error).removeprefix(f"{root}: ").partition("; ")
                note = FileNote(str(root))
                fault = Problem("error", "cannot_be_opened", name, what, advice or "correct it", (note,))
                yield Opened(name, found, kind, root, title, None, fault)


def _kind(found: str, root: Path) -> str:
    """What images are for: as their subset is called, or its folder where it is all that is there."""
    folder = subset_name(root.resolve().name)
    return folder if found == DEFAULT_SUBSET and folder in SUBSETS else found


def _order(entry: Opened) -> int:
    """First what `otx train` would train on."""
    last = ("val", "test")
    return TRAINED_ON.index(entry.kind) if entry.kind in TRAINED_ON else len(TRAINED_ON) + (entry.kind in last)


def _which_to_train_on(every: Sequence[Opened]) -> list[Problem]:
    """That `otx train` could not tell which subset to train on, if so."""
    if not every:
        return []
    names = [entry.found for entry in every if entry.root == every[0].root]
    try:
        choose_subset(every[0].root, names, TRAINED_ON, "train on")
    except DataError as error:
        what, _, advice = str(error).removeprefix(f"{every[0].root}: ").partition("; ")
        return [Problem("error", "which_subset", ", ".join(names), what, advice)]
    return []


def _uses(every: Sequence[Opened]) -> Iterator[Use]:
    """What each is used for by the training that `otx check` suggests: that on the first one."""
    for entry in every:
        if entry is every[0]:
            yield "training"
        elif entry is _validated_on(every):
            yield "validation"
        elif entry.kind == "test" or entry.root != every[0].root:
            yield "test"
        else:
            yield "nothing"


def _validated_on(every: Sequence[Opened]) -> Opened | None:
    """The subset val beside the training images, else one in a folder of its own."""
    beside = (entry for entry in every[1:] if entry.root == every[0].root and entry.found == "val")
    apart = (entry for entry in every if entry.root != every[0].root and entry.kind in ("val", DEFAULT_SUBSET))
    return next(beside, next(apart, None))


def _refuse_same(opened: Sequence[Opened]) -> None:
    root_of: dict[str, Path] = {}
    for entry in opened:
        assert entry.subset is not None
        real = {folder: Path(folder).resolve() for folder in {sample.images_folder for sample in entry.subset.samples}}
        for sample in entry.subset.samples:
            if root_of.setdefault(f"{real[sample.images_folder]}/{sample.name}", entry.root) != entry.root:
                raise UsageError(
                    f"{entry.subset.root}: lies in two of the --data-roots; name each folder once ({sample.image})"
                )
