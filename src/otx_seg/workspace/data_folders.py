"""Folders of data, in which nothing is ever written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from otx_seg.errors import UsageError

_LOOKED_AT = 1000  # entries of a folder; links to folders stand among few others


def refuse_among_data(place: Path, roots: Iterable[Path], advice: str) -> None:
    """
    Args:
        place: a file or folder to write, there or not.
        roots: data folders; links in them, and in their folders, count as parts of them.
        advice: what to do instead.

    Raises:
        UsageError: `place` is one of `roots`, or lies in one.
    """
    real = place.resolve()
    above = {real, *real.parents}
    for root in roots:
        if root.resolve() in above:
            raise UsageError(f"{place}: lies in {root}, a data folder, where nothing is written; {advice}")
        link = next((link for link in _links_in(root) if link.resolve() in above), None)
        if link is not None:
            raise UsageError(
                f"{place}: lies in {root}, a data folder (by its link {link}), where nothing is written; {advice}"
            )


def _links_in(root: Path) -> Iterator[Path]:
    """The links to folders in a data folder and in its folders, where those to images and masks are."""
    for folder in (str(root), *(entry.path for entry in _folders_in(str(root)))):
        yield from (Path(entry.path) for entry in _folders_in(folder) if entry.is_symlink())


def _folders_in(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in islice(entries, _LOOKED_AT) if entry.is_dir()]
    except OSError:
        return []  # it is not a folder, or not there, or closed to us: others say so
