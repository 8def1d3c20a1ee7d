"""CVAT for images."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from otx_seg.datasets.data_format import Subsets
from otx_seg.datasets.datumaro_items import datumaro_subsets
from otx_seg.datasets.layout_clues import files_with, head
from otx_seg.datasets.outlines import ellipse

_ROOT_TAG = re.compile(r"<annotations[\s>]")


class Cvat:
    """What CVAT exports as "CVAT for images"::

        train.xml  (or annotations.xml)
        images/a.jpg

    Objects are polygons, brush masks and ellipses, painted by their z-order; see `datumaro_subsets`.
    """

    title = "CVAT"
    layout = "annotations.xml with <annotations>, and images/"
    notes = 'objects: polygons, brush masks, ellipses; exports of projects, tasks and jobs, as "CVAT for images"'
    takes_annotation_file = False

    def detects(self, root: Path) -> bool:
        """See `DataFormat`."""
        return any(_ROOT_TAG.search(head(path)) for path in files_with(root, ".xml"))

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        """See `DataFormat`."""
        return datumaro_subsets(root, "cvat", lambda subset, image: f"{subset}.xml", _reading_all)


@contextmanager
def _reading_all() -> Iterator[None]:
    """Datumaro passes over ellipses, and knows exports of tasks and projects, but none of single jobs."""
    from datumaro.plugins.data_formats.cvat import base  # slow to import

    plain = base.ElementTree
    base.ElementTree = SimpleNamespace(iterparse=partial(_elements, plain.iterparse))
    try:
        yield
    finally:
        base.ElementTree = plain


def _elements(iterparse: Callable[..., Any], path: str, events: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """What Datumaro reads, in words that it knows."""
    for event, element in iterparse(path, events=events):
        if element.tag == "job":
            element.tag = "task"
        if element.tag == "ellipse":
            element.tag = "polygon"
            numbers = ellipse(*(float(element.get(name, "0")) for name in ("cx", "cy", "rx", "ry", "rotation")))
            pairs = zip(numbers[::2], numbers[1::2], strict=True)
            element.set("points", ";".join(f"{x},{y}" for x, y in pairs))
        yield event, element
