"""The one entry to labelled data: which format a folder is in, and the subsets in it."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from otx_seg import catalogue
from otx_seg.annotations.pages import with_pages
from otx_seg.annotations.samples import Subset
from otx_seg.annotations.values_found import named_elsewhere
from otx_seg.datasets.label_map import LabelMap, through_map
from otx_seg.errors import DataError, UsageError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts.folder import SUBSETS, layouts_in, listed_folders, subset_name
from otx_seg.formats.layouts.layout_clues import each_folder_once

logger = logging.getLogger(__name__)

ORDINARY = "common_semantic_segmentation"
"""What a folder is taken for that looks like nothing else; its messages say what is expected."""

# What many other formats look like too, so that they give way to those, and the second to the first.
_BARE = ("image_and_mask_folders", "images_beside_masks")
_FOLDERS_LOOKED_INTO = 50


@functools.cache
def known_formats() -> dict[str, DataFormat]:
    """Every format by the name of its module, which is what ``--data-format`` calls it."""
    found = catalogue.classes("otx_seg.formats").values()
    return {format_class.__module__.rpartition(".")[2]: format_class() for format_class in found}


def open_folder(
    root: Path, data_format: str | None = None, annotations: Path | None = None, label_map: LabelMap | None = None
) -> dict[str, Subset]:
    """All subsets of a data set.

    Args:
        root: the folder of the data set. Nothing is written there.
        data_format: name of its format, see `known_formats`; None: what it looks like.
        annotations: a file of annotations to use instead of those in `root`, in formats that allow it.
        label_map: what the labels become; None: they stay as they are.

    Returns:
        subset by name: "default" for images of no subset, else the name of the subset in lower case, where "valid"
        and "validation" become "val".

    Raises:
        UsageError: no such format, or one without files of annotations.
        DataError: the folder or its layout is missing, looks like several formats, or is unusable; or the label map
            does not fit its labels.
    """
    return {name: open_it() for name, open_it in find_subsets(root, data_format, annotations, label_map).items()}


def find_subsets(
    root: Path,
    data_format: str | None = None,
    annotations: Path | None = None,
    label_map: LabelMap | None = None,
    some_labels: bool = False,
) -> Subsets:
    """As `open_folder`, but what opens each subset instead of the subset.

    Args:
        some_labels: they may lack labels that the map lists.

    Raises:
        UsageError, DataError: as `open_folder`.
    """
    name = format_of(root, data_format, annotations)
    chosen = known_formats()[name]
    if annotations is not None and not chosen.takes_annotation_file:
        able = [other for other, known in known_formats().items() if known.takes_annotation_file]
        raise UsageError(
            f"{annotations}: an annotation file cannot be given for {name}, whose masks lie in {root}; leave it "
            f"out (it is for --data-format {' or '.join(able)})"
        )
    if label_map is not None:
        logger.info("%s: read through the label map %s", root, label_map.source)
    subsets = chosen.subsets(root, annotations)
    return {name: partial(_opened, open_it, label_map, some_labels) for name, open_it in subsets.items()}


def _opened(open_it: Callable[[], Subset], label_map: LabelMap | None, some_labels: bool) -> Subset:
    with nullcontext() if label_map is None else named_elsewhere():
        return through_map(with_pages(open_it()), label_map, some_labels)


def format_of(root: Path, data_format: str | None = None, annotations: Path | None = None, silent: bool = False) -> str:
    """The name of the format in which `find_subsets` reads a data set.

    Args:
        silent: do not say what it looks like.

    Raises:
        UsageError: no such format.
        DataError: the folder or the file of annotations is missing, or the folder looks like several formats.
    """
    if not root.is_dir():
        raise DataError(f"{root}: {_no_folder(root)}")
    if annotations is not None and not annotations.is_file():
        raise DataError(f"{annotations}: no such annotation file")
    if data_format is not None:
        return check_format_name(data_format)
    with each_folder_once():
        return _seen(root, annotations, silent)


def check_format_name(name: str, where: str = "--data-format") -> str:
    """The name of a format, if there is one called so.

    Args:
        name: what is written at `where`, an option or a key of a file.

    Raises:
        UsageError: there is none; the message names the nearest one.
    """
    if name not in known_formats():
        raise UsageError(f"{where} {name}: unknown; {catalogue.nearest(name, list(known_formats()))}")
    return name


def _seen(root: Path, annotations: Path | None, silent: bool) -> str:
    """The name of the format that a folder looks like.

    Raises:
        DataError: it looks like several, or its subsets like different ones.
    """
    if annotations is not None:
        return next(name for name, known in known_formats().items() if known.takes_annotation_file)
    found = looks_like(root)
    if len(found) > 1:
        raise DataError(
            f"{root}: looks like {' and like '.join(map(_described, found))}; say which to read with "
            f"--data-format {' or --data-format '.join(found)}"
        )
    inside = {folder.name: looks_like(folder) for folder in listed_folders(root)[:_FOLDERS_LOOKED_INTO]}
    inside = {
        name: seen
        for name, seen in inside.items()
        if seen and (seen[0] not in _BARE or _is_passed_over(root, name, found))
    }
    _refuse_mixture(root, found, {name: seen for name, seen in inside.items() if subset_name(name) in SUBSETS})
    if not found and inside:
        folder, seen = next(iter(inside.items()))
        raise DataError(f"{root}: is not a data set, but {folder} in it looks like {seen[0]}: name {root / folder}")
    if not found and not inside and not layouts_in(root):
        _refuse_deeper(root)
    if found and found != [ORDINARY] and not silent:
        logger.info("%s: read as %s; --data-format names another format", root, known_formats()[found[0]].title)
    return found[0] if found else ORDINARY


def _no_folder(root: Path) -> str:
    if not root.exists():
        return "no such folder"
    if root.suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"):
        return "an archive, not a folder; unpack it, and name the folder that it gives"
    return f"a file, not a folder; name the folder of the data, {root.parent}, say"


def _refuse_deeper(root: Path) -> None:
    """Raise DataError naming a data set that lies one to three folders below, if there is one."""
    level = [root]
    for _ in range(3):
        level = [below for folder in level for below in listed_folders(folder)][:_FOLDERS_LOOKED_INTO]
        found = {folder: seen[0] for folder in level if (seen := looks_like(folder))}
        for folder, seen_as in found.items():
            one = f"is not a data set, but {folder.relative_to(root)} in it looks like {seen_as}"
            if len(found) == 1:
                raise DataError(f"{root}: {one}: name {folder}")
            raise DataError(
                f"{root}: {one}, and so do {len(found) - 1} more: name one of them ({folder}), or put the files of all "
                "into one"
            )


def _is_passed_over(root: Path, folder: str, found: list[str]) -> bool:
    """Whether a folder is called like a subset, and the format that the whole data set looks like has none there."""
    if not found or found[0] in _BARE or subset_name(folder) not in SUBSETS:
        return False
    return subset_name(folder) not in known_formats()[found[0]].subsets(root)


def looks_like(root: Path) -> list[str]:
    """The names of the formats that a folder looks like; none if it holds nothing but images."""
    known = known_formats()
    found = [name for name in known if name not in _BARE and known[name].detects(root)]
    return found or [name for name in _BARE if known[name].detects(root)][:1]


def _refuse_mixture(root: Path, found: list[str], inside: dict[str, list[str]]) -> None:
    seen = [*found, *(name for names in inside.values() for name in names)]
    if len(set(seen)) < 2:
        return
    parts = [f"{root} itself like {found[0]}"] if found else []
    parts += [f"{folder} in it like {' and '.join(names)}" for folder, names in inside.items() if names != found]
    raise DataError(
        f"{root}: two formats are mixed: {', '.join(parts)}; keep one format in a folder, or name the parts one by one "
        "(--train-data-roots, --val-data-roots)"
    )


def _described(name: str) -> str:
    return f"{name} ({known_formats()[name].layout})"
