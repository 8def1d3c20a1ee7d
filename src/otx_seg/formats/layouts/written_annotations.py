"""What the writers of annotations have in common: files that grow image by image, lists of labels, numbers as text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.label_lists import OWN_LIST
from otx_seg.annotations.label_table import labels_in_text
from otx_seg.labels import Labels, check_names
from otx_seg.runtime.whole_file import opened_atomically

_DIGITS = 2  # behind the point, of a number of pixels


class GrowingFile:
    """A text file of entries, of which one at a time is in memory; it gets its name when it is closed.

    If an entry cannot be written whole, there will be no file.
    """

    def __init__(self, path: Path, head: str, between: str = ",\n") -> None:
        """
        Args:
            head: what stands before the first entry.
            between: two entries.
        """
        self._path, self._next, self._between = path, head, between
        self._stack = ExitStack()
        self._file: BinaryIO | None = None

    def append(self, entry: str) -> None:
        """Write an entry. Raises OSError."""
        file = self._opened()
        with self._stack.pop_all() as undone:
            file.write((self._next + entry).encode())
            self._stack = undone.pop_all()
        self._next = self._between

    def close(self, tail: str) -> None:
        """Write the end; the file is there then, also if there were no entries. Raises OSError."""
        file = self._opened()
        if file.closed:  # an entry could not be written
            return
        with self._stack:
            head = "" if self._next == self._between else self._next
            file.write((head + tail).encode())

    def _opened(self) -> BinaryIO:
        if self._file is None:
            self._file = self._stack.enter_context(opened_atomically(self._path))
        return self._file


def compact(value: Any) -> str:
    """Plain values as JSON in one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def plain_points(points: NDArray[np.float64]) -> list[list[float]]:
    """[x, y] of each point (N, 2), without digits that say nothing."""
    return [[int(part) if part == int(part) else round(part, _DIGITS) for part in point] for point in points.tolist()]


def plain_numbers(points: NDArray[np.float64]) -> list[float]:
    """x, y, x, y, ... of points (N, 2)."""
    return [part for point in plain_points(points) for part in point]


def coco_code(lengths: NDArray[np.int64], size: tuple[int, int]) -> dict[str, Any]:
    """The run lengths of a mask of `size` (H, W), column by column, as COCO's compressed code."""
    from pycocotools import mask as coco  # slow to import

    code = coco.frPyObjects({"counts": lengths.tolist(), "size": list(size)}, *size)
    return {"counts": code["counts"].decode(), "size": list(size)}


def hexadecimal(color: Iterable[int]) -> str:
    """An RGB colour as ``#rrggbb``."""
    return "#" + "".join(f"{part:02x}" for part in color)


def check_label_names(labels: Labels, longest: int | None = None) -> None:
    """
    Args:
        longest: characters that a name can have.

    Raises:
        ValueError: a name is longer, begins or ends with a blank, which tools take away, or is none.
    """
    check_names(labels.names)
    for name in labels.names:
        if name != name.strip():
            raise ValueError(f"{name!r} begins or ends with a blank")
        if longest is not None and len(name) > longest:
            raise ValueError(f"{name[:40]!r}... has {len(name)} characters; {longest} are possible")


def label_list(labels: Labels) -> str:
    """The content of a `labels.txt`.

    Raises:
        ValueError: a name would be read as something else there, such as a colour or a comment.
    """
    text = "\n".join(labels.names) + "\n"
    try:
        names = [entry.name for entry in labels_in_text(text)]
    except ValueError:
        names = []
    if names != [*labels.names]:
        wrong = next((name for name in labels.names if _read_alone(name) != [name]), labels.names[0])
        raise ValueError(
            f"a list of names, {OWN_LIST}, cannot hold {wrong!r}: it reads as a comment, a colour or columns"
        )
    return text


def _read_alone(name: str) -> list[str]:
    try:
        return [entry.name for entry in labels_in_text(name)]
    except ValueError:
        return []
