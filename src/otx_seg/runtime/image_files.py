"""Finding image files in folders, by their names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from otx_seg.errors import DataError
from otx_seg.runtime.image_headers import file_and_page
from otx_seg.runtime.tiff import count_pages

IMAGE_SUFFIXES = frozenset((".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"))
"""Lower-case suffixes of the files that are taken for images."""

_UNREAD = "arw avif cr2 cr3 dcm dng exr hdr heic heif hif j2k jp2 jpf jpx jxl nef orf pbm pgm ppm psd raf rw2 svg tga"
UNREAD_SUFFIXES = frozenset(f".{name}" for name in _UNREAD.split())
"""Lower-case suffixes of images in formats that are not read: whoever has such files should be told."""

_INNER_SUFFIX = ".ome"
_NAMED = 3  # files in a message
_TIFF_SUFFIXES = (".tif", ".tiff")


def images_in(path: Path) -> list[Path]:
    """The images at `path`: the file itself, or all in the folder and below, sorted; see `image_names` and `pages_of`.

    Raises:
        DataError: `path` does not exist, or no image is there.
    """
    if Path(file_and_page(path)[0]).is_file():
        return [Path(page) for page in pages_of(str(path))]
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder; give an image or a folder of images")
    found = [path / name for name in image_names(str(path))]
    if not found:
        missing = f"no images in this folder (looked for {', '.join(sorted(IMAGE_SUFFIXES))})"
        raise DataError(f"{path}: {unread_in(path) or missing}")
    return [Path(page) for file in sorted(found) for page in pages_of(str(file))]


def pages_of(path: str) -> list[str]:
    """The pages of a TIFF that holds several, ``a.tif#1``, ``a.tif#2`` and so on; else the file itself.

    Only files called like TIFF are opened.
    """
    if not path.lower().endswith(_TIFF_SUFFIXES):
        return [path]
    number = count_pages(path)
    return [path] if number == 1 else [f"{path}#{page}" for page in range(1, number + 1)]


def unread_names(folder: str) -> list[str]:
    """Relative paths of the images in `folder` and below whose formats are not read, sorted."""
    return sorted(name for name in file_names(folder) if name[name.rfind(".") :].lower() in UNREAD_SUFFIXES)


def unread_in(path: Path) -> str:
    """What to say of the images in a folder whose formats are not read; empty if there are none."""
    names = unread_names(str(path)) if path.is_dir() else []
    if not names:
        return ""
    shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    formats = ", ".join(sorted({name[name.rfind(".") + 1 :].upper() for name in names}))
    files = "1 file" if len(names) == 1 else f"{len(names)} files"
    return f"{files} in formats that are not read ({formats}): {shown}; save them as PNG or JPEG"


def image_names(folder: str, others: tuple[str, ...] = ()) -> Iterator[str]:
    """Relative paths, with ``/``, of the image files in `folder` and below, and those that end in one of `others`.

    See `file_names`.

    Raises:
        DataError: a folder cannot be read, or the name of an image is not UTF-8.
    """
    for name in file_names(folder):
        if is_image_name(name) or (others and name.lower().endswith(others)):
            yield _printable(name, folder)


def file_names(folder: str) -> Iterator[str]:
    """Relative paths, with ``/``, of the files in `folder` and below; hidden ones are passed over.

    Links are followed wherever they lead, since data sets under version control consist of them.

    Raises:
        DataError: a folder cannot be read.
    """
    # Each entry: the folder's path below `folder`, and the real folders that links have led through so far.
    pending = [("", frozenset((os.path.realpath(folder),)))]
    while pending:
        below, entered = pending.pop()
        for entry in entries_of(f"{folder}/{below}"):
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                target = os.path.realpath(entry.path) if entry.is_symlink() else None
                if target is None or target not in entered:  # else the link leads in a circle
                    pending.append((f"{below}{entry.name}/", entered | {target} if target else entered))
            else:
                yield f"{below}{entry.name}"


def is_image_name(name: str) -> bool:
    """Whether the file of this name should be an image."""
    return name[name.rfind(".") :].lower() in IMAGE_SUFFIXES  # a fifth of the time of Path.suffix, for 20,000 files


def stem_of(name: str) -> str:
    """The name or path of an image without suffix, which may be a double one: ``a`` of ``a.ome.tif``."""
    stem = name[: name.rindex(".")]
    return stem[: -len(_INNER_SUFFIX)] if stem.lower().endswith(_INNER_SUFFIX) else stem


def entries_of(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder. Raises DataError if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from error


def _printable(name: str, folder: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{folder}: the file name {os.fsencode(name)!r} is not UTF-8; rename the file") from error
    return name
