"""Paths of files in lists and annotations, which may have been written on another machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unicodedata import normalize


def located(folder: Path, name: str) -> str | None:
    """The file that a list means, as a path below `folder`, or None: the first of `possible_paths` that is there."""
    return next((path for path in possible_paths(name) if is_there(folder, path)), None)


def is_there(folder: Path, path: str) -> bool:
    """Whether a listed path is a file below a folder; a name that no file system can have is none."""
    return os.path.isfile(folder / path)  # noqa: PTH113  (Path.is_file raises an error for names that are too long)


def possible_paths(name: str, shortened: bool = True) -> Iterator[str]:
    r"""What a path of a list may be below the folder of the data, the likeliest first. None leads out of the folder.

    Lists come from Windows (``\`` for ``/``, suffixes in any case), from file systems that spell accented letters
    otherwise, and from data that lay elsewhere (``/home/me/data/a.png``, ``../upload/a.png``): folders are taken off
    the front one by one.

    Args:
        name: as it stands in the list.
        shortened: whether to take folders off a relative path too.
    """
    for path in dict.fromkeys((name, name.replace("\\", "/"))):
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if ".." in parts:
            parts = parts[len(parts) - parts[::-1].index("..") :]
        lengths = range(len(parts)) if shortened or _is_absolute(path) else range(min(1, len(parts)))
        for start in lengths:
            rest = "/".join(parts[start:])
            stem, suffix = os.path.splitext(rest)  # noqa: PTH122  (much faster than a Path)
            spellings = (rest, stem + suffix.lower(), stem + suffix.upper())
            yield from dict.fromkeys((rest, *(normalize(form, each) for each in spellings for form in ("NFC", "NFD"))))


def _is_absolute(path: str) -> bool:
    return path.startswith("/") or path[1:3] == ":/"
