"""The formats of labelled data: each is a class in a module of this package, found by `otx_seg.catalogue`.

A module is called what ``--data-format`` calls its format. Its class is a `DataFormat`; its docstring shows the
layout. Nothing else is public in these modules, and there is no list to extend. What several of them need is in
`layouts`: which files lie where; what stands in the files is read by `otx_seg.annotations`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, Protocol

from otx_seg.annotations.mask_regions import MaskRegions
from otx_seg.annotations.samples import Subset
from otx_seg.labels import Labels

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


class AnnotationWriter(Protocol):
    """Writes the annotations of one image after the other, for a tool; each is a class in `otx_seg.formats.writers`.

    Attributes:
        images: the folder that the images belong into, below that of the annotations.
        simplifies: whether it writes polygons, so that a tolerance changes something.
    """

    images: ClassVar[str]
    simplifies: ClassVar[bool]

    def __init__(self, folder: Path, labels: Labels, tolerance: float) -> None:
        """Choose where to write; nothing is written yet.

        Args:
            folder: for the annotations.
            labels: all of the model's, in its order.
            tolerance: of polygons, in pixels, see `otx_seg.annotations.contours.simplified`.

        Raises:
            ValueError: the format cannot hold the name of a label; says which and why.
        """

    def add(self, image: str, regions: MaskRegions) -> None:
        """Write the regions of an image.

        Args:
            image: its file name in `images`.

        Raises:
            OSError: they cannot be written.
        """

    def close(self) -> None:
        """Write what comes after the last image, so that the files are complete for the images so far.

        Raises:
            OSError: it cannot be written.
        """
