"""The formats of labelled data: each is a class in a module of this package, found by `otx_seg.catalogue`.

A module is called what ``--data-format`` calls its format. Its class is a `DataFormat`; its docstring shows the
layout. Nothing else is public in these modules, and there is no list to extend. What several of them need is in
`layouts`: which files lie where; what stands in the files is read by `otx_seg.annotations`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from otx_seg.annotations.samples import Subset

Subsets = Mapping[str, Callable[[], Subset]]
"""What opens each subset, by its name: "default" where a data set is not divided, else "train", "val", "test", ..."""


class DataFormat(Protocol):
    """One layout of files.

    Attributes:
        title: what people call it.
        layout: the files that it is recognised by, in a few words.
        notes: what else there is to know of it, in Markdown, for the table in docs/data.md (`docs/format_table.py`).
        takes_annotation_file: whether a file of annotations elsewhere can be named.
    """

    title: str
    layout: str
    notes: str
    takes_annotation_file: bool = False

    def detects(self, root: Path) -> bool:
        """Whether a folder looks like this format, from a few names in it. Opens no image."""

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        """The subsets of a data set; their files are looked up when one is opened.

        Args:
            root: the folder of the data set. Nothing is written there.
            annotations: a file of annotations to use instead of those in `root`.

        Raises:
            DataError: the layout is not this one, or a file that lists labels or subsets is unusable.
        """
