"""Datumaro's own format."""

from __future__ import annotations

from pathlib import Path

from otx_seg.datasets.data_format import Subsets
from otx_seg.datasets.datumaro_items import datumaro_subsets
from otx_seg.datasets.layout_clues import files_with, head


class DatumaroJson:
    """Datumaro's JSON::

        annotations/train.json
        images/train/a.jpg

    Objects are polygons, masks and ellipses, painted by their z-order; see `datumaro_subsets`.
    """

    title = "Datumaro"
    layout = "annotations/train.json with dm_format_version and items"
    notes = "objects: polygons, masks, ellipses"
    takes_annotation_file = False

    def detects(self, root: Path) -> bool:
        """See `DataFormat`."""
        beginnings = map(head, files_with(root / "annotations", ".json"))
        return any('"dm_format_version"' in text or '"items"' in text for text in beginnings)

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        """See `DataFormat`."""
        return datumaro_subsets(root, "datumaro", lambda subset, image: f"annotations/{subset}.json")
