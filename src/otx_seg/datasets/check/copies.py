"""Images that are there more than once: the same file under other names, or the same pixels in another file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import DataError
from otx_seg.runtime.image_headers import file_and_page, read_bytes

_HEAD = 1 << 16  # bytes; files of one size that differ mostly do so here
_DIGEST = 16  # bytes: 10,000 images give two equal digests by chance once in 10^30 data sets

Item = TypeVar("Item")


def equal_files(paths: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """The groups of two and more files that are equal byte for byte; few of the others are read.

    Args:
        paths: a path that occurs twice counts once.

    Raises:
        DataError: a file cannot be read.
    """
    groups = [tuple(dict.fromkeys(paths))]
    # Files of different sizes differ, and so do those that begin differently: few are read to their ends.
    for key in (_size, _head_digest, _digest):
        groups = [part for group in groups for part in equal_by(group, key)]
    return tuple(groups)


def equal_by(items: Iterable[Item], key: Callable[[Item], Hashable]) -> list[tuple[Item, ...]]:
    """The groups of two and more items with the same key, in the order of their first items."""
    groups: dict[Hashable, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def digest_of_pixels(pixels: NDArray[np.uint8]) -> bytes:
    """16 bytes that are equal for equal arrays, also in shape, and for no others."""
    made = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=_DIGEST)
    made.update(np.ascontiguousarray(pixels).data)
    return made.digest()


def _size(path: str) -> int:
    try:
        return Path(file_and_page(path)[0]).stat().st_size
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _head_digest(path: str) -> bytes:
    try:
        with Path(file_and_page(path)[0]).open("rb") as file:
            return hashlib.blake2b(file.read(_HEAD), digest_size=_DIGEST).digest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _digest(path: str) -> bytes:
    page = file_and_page(path)[1]
    return hashlib.blake2b(read_bytes(path) + f"#{page}".encode() * (page is not None), digest_size=_DIGEST).digest()
