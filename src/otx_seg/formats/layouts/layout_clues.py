"""Looking at the names in a folder, to tell formats apart without reading what may be many files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from pathlib import Path

from otx_seg.formats.layouts.mask_names import JPEG, PNG
from otx_seg.runtime.image_files import is_image_name, stem_of

_LOOKED_AT = 1000  # entries of a folder, until one is found that is a folder
_HEAD = 1 << 14  # bytes
_Entries = tuple[tuple[str, bool], ...]  # the names in a folder that are not hidden, and which are folders
_looked_up: ContextVar[dict[str, _Entries] | None] = ContextVar("looked_up", default=None)


@contextmanager
def each_folder_once() -> Iterator[None]:
    """While formats are told apart, which all ask for the same names, each folder is looked up once."""
    token = _looked_up.set({})
    try:
        yield
    finally:
        _looked_up.reset(token)


def entries_not_hidden(folder: Path) -> _Entries:
    """The names in a folder that are not hidden, and which of them are folders. Raises OSError."""
    known = _looked_up.get()
    found = known.get(str(folder)) if known is not None else None
    if found is None:
        with os.scandir(folder) as entries:
            found = tuple((entry.name, entry.is_dir()) for entry in entries if entry.name[0] != ".")
        if known is not None:
            known[str(folder)] = found
    return found


def files_with(folder: Path, suffix: str, most: int | None = None) -> list[Path]:
    """The files in a folder whose names end in `suffix`, in any case, sorted; the first `most` of them, or all."""
    return [folder / name for name in sorted(name for name in _names(folder) if name.lower().endswith(suffix))[:most]]


def holds_images_below(folder: Path) -> bool:
    """Whether image files lie in a folder, or in the first one in it, and so on."""
    return any(any(map(is_image_name, _names(deep))) for deep in folders_on_the_way_down(folder))


def image_stems(folder: Path) -> set[str]:
    """The names of the images in a folder, without suffix."""
    return {stem_of(name) for name in _names(folder) if is_image_name(name)}


def holds_twins(folder: Path) -> bool:
    """Whether a JPEG and a PNG of the same name lie in a folder."""
    stems = [{stem_of(name) for name in _names(folder) if name.lower().endswith(of)} for of in (JPEG, PNG)]
    return not stems[0].isdisjoint(stems[1])


def _names(folder: Path) -> list[str]:
    """Of entries that are not hidden; none of a folder that cannot be read."""
    try:
        return [name for name, _ in entries_not_hidden(folder)]
    except OSError:
        return []


def holds_folders(folder: Path, *names: str) -> bool:
    """Whether folders of all these names are there, spelled in just this way on any file system."""
    try:
        found = {name for name, is_folder in entries_not_hidden(folder) if is_folder and name in names}
    except OSError:
        return False
    return found == set(names)


def head(path: Path) -> str:
    """How a text file begins, a few kilobytes; nothing of a file that cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_HEAD).decode("utf-8", "replace")
    except OSError:
        return ""


def folders_on_the_way_down(folder: Path, depth: int = 5) -> Iterator[Path]:
    """A folder, the first one in it, the first one in that, and so on, at most `depth` levels down."""
    for _ in range(depth):
        yield folder
        try:
            with os.scandir(folder) as entries:
                shown = (entry for entry in islice(entries, _LOOKED_AT) if entry.name[0] != ".")
                below = next((entry.path for entry in shown if entry.is_dir()), None)
        except OSError:
            return
        if below is None:
            return
        folder = Path(below)
    yield folder
