"""Every subset of the folders that `otx check` looks through, and what training would use each for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from otx_seg.datasets.folder import DEFAULT_SUBSET, SUBSETS, subset_name
from otx_seg.datasets.opening import find_subsets, format_of, known_formats
from otx_seg.datasets.problems import FileNote, Problem, of_unused
from otx_seg.datasets.samples import Subset
from otx_seg.datasets.split import TRAINED_ON, VALIDATED_ON, Use, choose_subset
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


@dataclass(frozen=True)
class Meant:
    """What folders are meant for, where somebody said so: to train, to validate or to test on."""

    train: Path | None = None
    val: Path | None = None
    test: Path | None = None


NOT_SAID = Meant()


def open_all(
    roots: Sequence[Path], data_format: str | None, meant: Meant = NOT_SAID
) -> tuple[list[Opened], list[Problem]]:
    """Every subset of every folder that can be opened, the training images first; and what is wrong with the others.

    Args:
        roots: the folders.
        data_format: name of their format; None: what they look like.
        meant: what some of them are for; the others are for what they are called.

    Raises:
        UsageError: two folders lead to the same images, or there is no such format.
        DataError: a folder is missing, or in no layout that is known.
    """
    every = sorted(_each(roots, data_format), key=lambda entry: (meant.train not in (None, entry.root), _order(entry)))
    if not every:
        return [], []
    problems: list[Problem] = []
    training = _choose(every, every[0].root, TRAINED_ON, "train on", problems) or every[0]
    every = [training, *(entry for entry in every if entry is not training)]
    validated = _validated_on(every, meant, problems)
    every = [replace(entry, use=_use(entry, training, validated)) for entry in every]
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


def _choose(
    every: Sequence[Opened], root: Path, wanted: tuple[str, ...], purpose: str, problems: list[Problem]
) -> Opened | None:
    """The subset of a folder that `otx train` would take; where it could not tell, that is one more of `problems`."""
    found = {entry.found: entry for entry in every if entry.root == root}
    try:
        return found[choose_subset(root, found, wanted, purpose)]
    except DataError as error:
        what, _, advice = str(error).removeprefix(f"{root}: ").partition("; ")
        problems.append(Problem("error", "which_subset", ", ".join(found), what, advice))
        return None


def _validated_on(every: Sequence[Opened], meant: Meant, problems: list[Problem]) -> Opened | None:
    """What is meant to be validated on, else the subset val beside the training images, else one in its own folder.

    Args:
        every: the training images first.
    """
    training = every[0]
    if any(entry.root == meant.val != training.root for entry in every):
        assert meant.val is not None
        return _choose(every, meant.val, VALIDATED_ON, "validate on", problems)
    beside = (entry for entry in every[1:] if entry.root == training.root and entry.found == "val")
    others = (entry for entry in every if entry.root not in (training.root, meant.test))
    apart = (entry for entry in others if entry.kind in VALIDATED_ON)
    return next(beside, next(apart, None))


def _use(entry: Opened, training: Opened, validated: Opened | None) -> Use:
    if entry is training:
        return "training"
    if entry is validated:
        return "validation"
    # What has been named by itself is there for some model to be tested on.
    return "test" if entry.kind == "test" or entry.root != training.root else "nothing"


def _refuse_same(opened: Sequence[Opened]) -> None:
    if len({entry.root for entry in opened}) < 2:
        return
    root_of: dict[str, Path] = {}
    for entry in opened:
        assert entry.subset is not None
        real = {folder: Path(folder).resolve() for folder in {sample.images_folder for sample in entry.subset.samples}}
        for sample in entry.subset.samples:
            if root_of.setdefault(f"{real[sample.images_folder]}/{sample.name}", entry.root) != entry.root:
                raise UsageError(
                    f"{entry.subset.root}: lies in two of the --data-roots; name each folder once ({sample.image})"
                )
