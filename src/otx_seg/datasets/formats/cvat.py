"""CVAT for images."""

from __future__ import annotations

import re
from pathlib import Path

from otx_seg.datasets.data_format import Subsets
from otx_seg.datasets.datumaro_items import datumaro_subsets
from otx_seg.datasets.layout_clues import files_with, head

_ROOT_TAG = re.compile(r"<annotations[\s>]")


class Cvat:
    """What CVAT exports as "CVAT for images"::

        train.xml  (or annotations.xml)
        images/a.jpg

    Objects are polygons, brush masks and ellipses, painted by their z-order; see `datumaro_subsets`.
    """

    title = "CVAT"
    layout = "annotations.xml with <annotations>, and images/"
    takes_annotation_file = False

    def detects(self, root: Path) -> bool:
        """See `DataFormat`."""
        return any(_ROOT_TAG.search(head(path)) for path in files_with(root, ".xml"))

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        """See `DataFormat`."""
        return datumaro_subsets(root, "cvat", lambda subset, image: f"{subset}.xml")
