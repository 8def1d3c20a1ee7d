"""Labels of data sets that list them elsewhere than in ``dataset_meta.json``: in a file of names, or by convention."""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from otx_seg.annotations.dataset_meta import META_FILE, check_labels, read_dataset_meta
from otx_seg.annotations.label_map import labels_in_pbtxt, labels_in_values, with_zero
from otx_seg.annotations.label_table import ListedLabel, labels_in_text
from otx_seg.annotations.masks import MAX_LABELS, Color, MaskCode
from otx_seg.errors import DataError
from otx_seg.labels import Labels, background_index, check_names, default_colors, means_ignored
from otx_seg.runtime.image_files import is_image_name
from otx_seg.runtime.plain_files import read_json, read_text, shown
from otx_seg.template.yaml_files import read_yaml

logger = logging.getLogger(__name__)

OWN_LIST = "labels.txt"
"""What our own documentation calls a list of labels; it comes before all others."""

_MOST_BYTES = 1 << 18
_LONGEST_NAME = 200  # characters; the longest of ADE20K has 113
_TELLING = re.compile(r"label|class|categor|codes?$|colou?r|names|legend|palette|objectinfo|masktargets")
_MAYBE = {".json": ("metadata", "notes"), ".yaml": ("data", "dataset"), ".yml": ("data", "dataset")}
_SUFFIXES = (".txt", ".csv", ".tsv", ".json", ".names", ".yaml", ".yml", ".pbtxt")
_NUMBER_OF_A_FILE = re.compile(r"\d{5}")
_LABELME_IGNORE = "__ignore__"
_ADE20K = "objectinfo"


class LabelList(NamedTuple):
    """The labels a file lists, in the order of the values of index masks.

    Attributes:
        path: the file.
        entries: each with a mask value, or none of them; then they are numbered from 0.
    """

    path: Path
    entries: tuple[ListedLabel, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """In order."""
        return tuple(entry.name for entry in self.entries)


class FoundLists(NamedTuple):
    """What in some folders looks like a list of labels.

    Attributes:
        usable: those that can be used.
        unusable: why not, one sentence for each of the others, naming the file.
    """

    usable: tuple[LabelList, ...]
    unusable: tuple[str, ...]


def find_label_lists(folders: Iterable[Path]) -> FoundLists:
    """The lists of labels in some folders, by the names of files first and then by what stands in them.

    Raises:
        DataError: a `labels.txt` cannot be used.
    """
    usable, unusable = [], []
    for folder in dict.fromkeys(folders):
        for name in _names_in(folder):
            telling = _is_telling(name)
            if not telling and not _may_hold_labels(name):
                continue
            try:
                usable.append(read_label_list(folder / name))
            except DataError as error:
                if name == OWN_LIST:
                    raise
                unusable += [str(error)] * telling
    return FoundLists(tuple(usable), tuple(unusable))


def _names_in(folder: Path) -> list[str]:
    """Those that are not hidden, sorted; none of a folder that cannot be read."""
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.name[0] != ".")
    except OSError:
        return []


def _is_telling(name: str) -> bool:
    stem, _, suffix = name.casefold().rpartition(".")
    if f".{suffix}" not in _SUFFIXES or name == META_FILE or ".coco" in stem:
        return False
    return suffix == "names" or bool(_TELLING.search("".join(filter(str.isalpha, stem))))


def _may_hold_labels(name: str) -> bool:
    stem, _, suffix = name.casefold().rpartition(".")
    return stem in _MAYBE.get(f".{suffix}", ())


def read_label_list(path: Path) -> LabelList:
    """The labels of a file: text as in `annotations.label_table`, others as in `annotations.label_map`.

    ``__ignore__`` at the front, as the program labelme has it, stands for no value.

    Raises:
        DataError: the file cannot be read, lists no labels, or one, a value or a colour in it cannot be used.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".json":
            found = labels_in_values(read_json(path, most_bytes=_MOST_BYTES))
        elif suffix in (".yaml", ".yml"):
            found = labels_in_values(read_yaml(path, "a list of labels", DataError))
        elif suffix == ".pbtxt":
            found = labels_in_pbtxt(read_text(path, most_bytes=_MOST_BYTES))
        else:
            found = labels_in_text(read_text(path, most_bytes=_MOST_BYTES))
            if path.stem.casefold().startswith(_ADE20K):  # there 0 is whatever has no label
                found = with_zero(found, "void")
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    if len(found) > 1 and found[0].name == _LABELME_IGNORE and found[0].value is None:
        found = found[1:]
    if any(entry.value is None for entry in found):
        found = [entry._replace(value=None) for entry in found]
    found = sorted(found, key=lambda entry: entry.value or 0)
    _check_entries(found, path)
    return LabelList(path, tuple(found))


def _check_entries(entries: Sequence[ListedLabel], path: Path) -> None:
    if not entries:
        raise DataError(f"{path}: lists no labels that can be told; write one name per line")
    names = [entry.name for entry in entries]
    values = [entry.value for entry in entries if entry.value is not None]
    try:
        check_names(names)
    except ValueError as error:
        raise DataError(f"{path}: {error}; write one name per line, each once") from error
    for name in names:
        if len(name) > _LONGEST_NAME or is_image_name(name):
            raise DataError(f"{path}: {shown(name)} is no label; write one name per line")
    if path.name != OWN_LIST and all(map(_NUMBER_OF_A_FILE.search, names)):
        raise DataError(f"{path}: {shown(names[0])} looks like the name of an image; labels are listed one per line")
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        both = [entry.name for entry in entries if entry.value == twice]
        raise DataError(f"{path}: the labels {both[0]!r} and {both[1]!r} have the same mask value {twice}")
    if len(names) > MAX_LABELS + 1:
        raise DataError(f"{path}: {len(names):,} labels; at most {MAX_LABELS} are possible")


def _together(one: LabelList, other: LabelList) -> LabelList | None:
    """Both lists in one, or None where they contradict each other."""
    if one.names != other.names:
        return None
    entries = []
    for ours, theirs in zip(one.entries, other.entries, strict=True):
        colors = {ours.color, theirs.color} - {None}
        values = {ours.value, theirs.value} - {None}
        if len(colors) > 1 or len(values) > 1:
            return None
        entries.append(ListedLabel(ours.name, next(iter(colors), None), next(iter(values), None)))
    return LabelList(one.path, tuple(entries))


def chosen_list(lists: Sequence[LabelList]) -> LabelList:
    """The list to use of several: our own where there is one, else what all of them say, with all colours and values.

    Raises:
        DataError: they differ.
    """
    own = [found for found in lists if found.path.name == OWN_LIST]
    chosen, *others = own or lists
    for other in others:
        together = _together(chosen, other)
        if together is None:
            raise DataError(
                f"{other.path}: lists other labels than {chosen.path}, or in another order, so that the same value "
                "would be another label; make them the same, or remove one"
            )
        chosen = together
    for other in lists:
        if own and _together(chosen, other) is None:
            logger.warning("%s: lists other labels than %s, which is the one that counts", other.path, chosen.path)
    return chosen


def labels_of_root(root: Path, by_value: bool = False, instance_bits: int = 0) -> tuple[Labels, MaskCode] | None:
    """The labels that a file in the root of a data set lists, or None where there is no such file.

    Args:
        by_value, instance_bits: see `labels_and_code`.

    Raises:
        DataError: a file that looks like a list of labels cannot be used, or two differ.
    """
    if (root / META_FILE).is_file():
        labels, code = read_dataset_meta(root / META_FILE)
        return labels, replace(code, instance_bits=instance_bits)
    found = find_label_lists((root,))
    if found.usable:
        return listed_labels(chosen_list(found.usable), by_value, instance_bits)
    if found.unusable:
        raise DataError(found.unusable[0])
    return None


def labels_or_assumed(
    root: Path,
    benchmark: str,
    known: Callable[[], tuple[Mapping[str, Color | None], Sequence[str]]],
    by_value: bool = False,
    instance_bits: int = 0,
) -> tuple[Labels, MaskCode]:
    """As `labels_of_root`, or where no file lists labels those of a benchmark, which the user is told.

    Args:
        benchmark: its name.
        known: gives `listed` and `void` of `labels_and_code`; called only if need be.
        by_value, instance_bits: see `labels_and_code`.

    Raises:
        DataError: as `labels_of_root`.
    """
    found = labels_of_root(root, by_value, instance_bits)
    if found is not None:
        return found
    listed, void = known()
    tell_assumed(root, benchmark, tuple(name for name in listed if name not in void))
    return labels_and_code(listed, root, void, by_value, instance_bits)


@functools.lru_cache(maxsize=16)  # told once, not for each subset
def tell_assumed(root: Path, benchmark: str, names: tuple[str, ...]) -> None:
    """Say that the labels of a benchmark stand in for those that no file lists."""
    logger.warning(
        "%s: no file lists the labels, so they are taken to be those of %s (%s, ...); if they are others, list them in "
        "%s there, one per line in the order of the masks' values, with its colour if masks are in colours",
        root,
        benchmark,
        ", ".join(names[:3]),
        OWN_LIST,
    )


def lines_of(path: Path) -> list[str]:
    """The lines of a text file that are neither empty nor begin with #, without spaces around them.

    Raises:
        DataError: the file cannot be read, or is no UTF-8 text.
    """
    return [line for line in map(str.strip, read_text(path).splitlines()) if line and not line.startswith("#")]


def listed_labels(listed: LabelList, by_value: bool = False, instance_bits: int = 0) -> tuple[Labels, MaskCode]:
    """As `labels_and_code`, of a list that was read; its values may have gaps.

    Raises:
        DataError: as `labels_and_code`.
    """
    colors = {entry.name: entry.color for entry in listed.entries}
    labels, code = labels_and_code(colors, listed.path, (), by_value, instance_bits)
    values = tuple(entry.value for entry in listed.entries if entry.value is not None)
    has_gaps = bool(values) and values != tuple(range(len(values)))
    return labels, replace(code, values=values if has_gaps else None)


def labels_and_code(
    listed: Mapping[str, Color | None],
    where: Path,
    void: Sequence[str] = (),
    by_value: bool = False,
    instance_bits: int = 0,
) -> tuple[Labels, MaskCode]:
    """Labels, and what the values and colours of their masks mean.

    Labels whose names say so (see `means_ignored`) are none: their pixels are ignored. Where this would leave a single
    label, it is the background instead: ``unlabeled`` and ``crack`` are two.

    Args:
        listed: names in the order of the values of index masks, each with its colour if it has one.
        where: the file or folder the labels come from, for messages.
        void: further labels of `listed` whose pixels are ignored.
        by_value: whether masks hold values alone, so that labels may share colours.
        instance_bits: see `MaskCode`.

    Raises:
        DataError: labels that cannot be used, or two with the same colour.
    """
    hidden = tuple(name for name in listed if name in void or means_ignored(name))
    ground = None
    if len(listed) == 2 and len(hidden) == 1 and hidden[0] not in void:
        ground, hidden = hidden[0], hidden[:0]
    names = tuple(name for name in listed if name not in hidden)
    check_labels(names, where)
    colors = {name: color for name, color in listed.items() if color is not None and not by_value}
    for name, color in colors.items():
        twin = next(other for other in colors if colors[other] == color)
        if twin != name:
            raise DataError(f"{where}: the labels {twin!r} and {name!r} have the same colour {color}")
    shown_in = tuple(listed[name] or fallback for name, fallback in zip(names, default_colors(len(names)), strict=True))
    background = background_index(names) if ground is None else names.index(ground)
    code = MaskCode(tuple(listed), tuple(colors.get(name) for name in listed), hidden, instance_bits, where.name)
    return Labels(names, shown_in, background), code
