"""Label maps: what each label of a data set becomes, and which are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from otx_seg.annotations.masks import MAX_LABELS, Color
from otx_seg.annotations.samples import MaskReader, Sample, Subset
from otx_seg.catalogue import nearest
from otx_seg.errors import DataError, UsageError
from otx_seg.label_maps import shipped_label_maps
from otx_seg.labels import IGNORE_INDEX, Labels, MaskValue, background_index, check_names, default_colors
from otx_seg.runtime.plain_files import shown
from otx_seg.template.yaml_files import read_yaml
from otx_seg.words import listed

IGNORE = "ignore"
"""Stands for a new label: the pixels of the old one are ignored by every loss and score."""

OPTION = "--label-map"
"""What names a label map on the command line."""

_LINE = "'old label: new label' or 'old label: ignore'"


@dataclass(frozen=True)
class LabelMap:
    """What each label of some data becomes. Two are equal if all data reads alike through both.

    Attributes:
        new_names: each label of the data, and its new label or `IGNORE`, in order.
        source: the file it was read from, or the name of one that comes with the program; for messages.
        some_labels: whether data may lack old labels of it.

    Raises:
        ValueError: a name that no label can have, an old label twice, or fewer than two new labels.
    """

    new_names: tuple[tuple[str, str], ...]
    source: str = field(default="", compare=False)
    some_labels: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        check_names([old for old, _ in self.new_names])
        check_names(self.names)
        alike = next((new for new in self.names if new.strip().lower() == IGNORE), None)
        if alike is not None:
            raise ValueError(
                f"no label can be called {alike!r}: write {IGNORE} to ignore pixels, or choose another name"
            )
        if len(self.names) < 2:
            only = f"only the label {shown(self.names[0])}" if self.names else "no label"
            raise ValueError(f"leaves {only}; a network needs at least two to tell apart")
        if len(self.names) > MAX_LABELS:
            raise ValueError(f"gives {len(self.names)} labels; at most {MAX_LABELS} are possible")

    @property
    def names(self) -> tuple[str, ...]:
        """The new labels, in the order in which they first appear."""
        return tuple(dict.fromkeys(new for _, new in self.new_names if new != IGNORE))

    @property
    def is_shipped(self) -> bool:
        """Whether it comes with the program."""
        return self.source in shipped_label_maps()

    def as_plain(self) -> dict[str, Any]:
        """Lists and texts, for a file; see `from_plain`."""
        return {
            "new_names": [list(pair) for pair in self.new_names],
            "source": self.source,
            "some_labels": self.some_labels,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> LabelMap:
        """What `as_plain` has given."""
        pairs = tuple((old, new) for old, new in plain["new_names"])
        return cls(pairs, plain["source"], plain.get("some_labels", False))

    def as_yaml(self) -> str:
        """A file that `read_label_map` reads."""
        return yaml.safe_dump(dict(self.new_names), sort_keys=False, allow_unicode=True, width=10_000)


def read_label_map(named: str | Path, folder: Path = Path(), where: str = OPTION) -> LabelMap:
    """The label map of a YAML file with a line ``old label: new label`` or ``old label: ignore`` for each label.

    Args:
        named: a path, or the name of a map that comes with the program.
        folder: what the path is relative to.
        where: the option or key that names it, for messages.

    Raises:
        UsageError: there is no such file or name, or the file is no label map.
    """
    shipped = shipped_label_maps()
    path = shipped.get(str(named), folder / named)
    if not path.exists():
        hint = nearest(str(named), list(shipped))
        raise UsageError(f"{where} {named}: no such file, and no label map that comes with otx has this name ({hint})")
    content = read_yaml(path, f"a label map ({_LINE})")
    source = str(named) if path == shipped.get(str(named)) else str(path)
    try:
        return LabelMap(tuple((_name(old), _name(new)) for old, new in content.items()), source)
    except ValueError as error:
        raise UsageError(f"{path}: as a label map: {error}") from error


def label_map_here(new_names: Mapping[str, str], where: str) -> LabelMap:
    """A label map that stands in another file, for labels of which data may show some; see `known_values`.

    Args:
        where: its place, for messages.

    Raises:
        UsageError: it is none.
    """
    try:
        return LabelMap(tuple(new_names.items()), where, some_labels=True)
    except ValueError as error:
        raise UsageError(f"{where}: as a label map: {error}") from error


def _name(value: Any) -> str:
    """A name in a YAML file; labels without one are called by a number.

    Raises:
        ValueError: YAML takes it for something else.
    """
    if isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)
    if isinstance(value, (list, dict)):
        raise ValueError(f"{shown(value)} is no label; each line is {_LINE}")
    if value is None:
        raise ValueError(f"a label is empty; each line is {_LINE}")
    raise ValueError(f"YAML reads a label as {shown(str(value))} ({type(value).__name__}); put its name into quotes")


def through_map(subset: Subset, label_map: LabelMap | None, some: bool = False) -> Subset:
    """The subset with the labels of a map.

    The background is the label of that name, or the one that the background of the data becomes. A new label has the
    colour of the first old one that becomes it.

    Args:
        subset: as it was opened.
        label_map: None: there is none.
        some: the data may lack labels of the map, as test data may.

    Raises:
        DataError: the map leaves out a label of the data, or gives a new label to one that the data lacks.
    """
    if label_map is None:
        return subset
    old, new = subset.labels, dict(label_map.new_names)
    _refuse_other_labels(subset, label_map, some or label_map.some_labels)
    number_of = {name: number for number, name in enumerate(label_map.names)} | {IGNORE: IGNORE_INDEX}
    numbers = tuple(number_of[new[name]] for name in old.names)
    labels = Labels(label_map.names, _colors(old, numbers, label_map), _background(old, numbers, label_map.names))
    reader = MappedMasks(labels.names, replace(subset, samples=(), unmatched=()), numbers)
    return replace(subset, labels=labels, mask_code=reader, ignored_labels={})


def _colors(old: Labels, numbers: tuple[int, ...], label_map: LabelMap) -> tuple[Color, ...]:
    first = dict(reversed(list(zip(numbers, old.colors, strict=True))))
    free = (color for color in default_colors(256) if color not in old.colors)
    return tuple(first.get(number) or next(free) for number in range(len(label_map.names)))


def _background(old: Labels, numbers: tuple[int, ...], names: tuple[str, ...]) -> int | None:
    by_name = background_index(names)
    if old.background is None or numbers[old.background] == IGNORE_INDEX:
        return by_name
    named_otherwise = old.background != background_index(old.names)  # by the data set itself
    return numbers[old.background] if by_name is None or named_otherwise else by_name


def _refuse_other_labels(subset: Subset, label_map: LabelMap, some: bool) -> None:
    new, names = dict(label_map.new_names), subset.labels.names
    left_out = [name for name in names if name not in new]
    unknown = [] if some and not left_out else [name for name in new if name not in names]
    # To ignore what is not there changes nothing: formats ignore some labels by themselves. A misspelt name is told.
    unknown = [name for name in unknown if new[name] != IGNORE or nearest(name, left_out).startswith("did")]
    if not left_out and not unknown:
        return
    parts = [f"it leaves out {listed([shown(name) for name in left_out], 5)}"] if left_out else []
    if unknown:
        hint = nearest(unknown[0], left_out or list(names))
        hint = f" ({hint})" if hint.startswith("did") or not left_out else ""
        parts.append(f"it names {listed([shown(name) for name in unknown], 5)}, which the data lacks{hint}")
    raise DataError(
        f"{label_map.source}: the label map does not fit the labels of {subset.root}: {', and '.join(parts)}; write "
        f"one line for each label of the data: {_LINE}"
    )


@dataclass(frozen=True)
class MappedMasks(MaskReader):
    """Reads the masks of a subset and changes their labels.

    Attributes:
        names: the new labels.
        origin: the subset, without its samples.
        numbers: for each of its labels the index of the new one, or 255.
    """

    names: tuple[str, ...]
    origin: Subset
    numbers: tuple[int, ...]

    @property
    def size_advice(self) -> str:  # type: ignore[override]
        """See `MaskReader`."""
        return self.origin.mask_code.size_advice

    def read_counting(self, sample: Sample) -> tuple[NDArray[np.uint8], int]:
        """See `MaskReader`."""
        mask, snapped = self.origin.read_mask_counting(sample)
        table = np.full(256, IGNORE_INDEX, np.uint8)
        table[: len(self.numbers)] = self.numbers
        return table[mask], snapped

    def stored_values(self, sample: Sample) -> tuple[MaskValue | None, ...]:
        """See `MaskReader`. A label made of several has what the first of them has, as with colours."""
        values = self.origin.stored_values(sample)
        first = dict(reversed(list(zip(self.numbers, values, strict=False))))
        return tuple(first.get(number) for number in range(len(self.names))) if values else ()

    def meanings(self) -> Mapping[MaskValue, str | None]:
        """See `MaskReader`."""
        new = dict(zip(self.origin.labels.names, self.numbers, strict=True))
        numbers = {value: new.get(old or "", IGNORE_INDEX) for value, old in self.origin.mask_code.meanings().items()}
        return {value: None if number == IGNORE_INDEX else self.names[number] for value, number in numbers.items()}

    def files_of(self, sample: Sample) -> tuple[str, ...]:
        """See `MaskReader`."""
        return self.origin.mask_code.files_of(sample)

    def verify(self, sample: Sample) -> None:
        """See `MaskReader`."""
        self.origin.mask_code.verify(sample)
