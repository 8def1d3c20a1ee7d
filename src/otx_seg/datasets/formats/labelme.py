"""LabelMe's XML files."""

from __future__ import annotations

from pathlib import Path

from otx_seg.datasets.data_format import Subsets
from otx_seg.datasets.datumaro_items import datumaro_subsets
from otx_seg.datasets.layout_clues import files_with, folders_on_the_way_down, holds_folders

_OBJECTS = "Annotations"


class LabelMe:
    """What the LabelMe web tool of MIT exports, as XML (not the JSON of the desktop program labelme)::

        Annotations/train/a.xml
        Images/train/a.jpg
        Masks/train/a_mask_0.png      where objects are masks

    Objects are painted in the order of the file.
    """

    title = "LabelMe"
    layout = "Annotations/ with XML files, and Images/"
    notes = "objects; the XML of the web tool, not the JSON of the desktop program"
    takes_annotation_file = False

    def detects(self, root: Path) -> bool:
        """See `DataFormat`."""
        return holds_folders(root, _OBJECTS, "Images") and any(
            files_with(folder, ".xml") for folder in folders_on_the_way_down(root / _OBJECTS)
        )

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        """See `DataFormat`."""
        return datumaro_subsets(root, "label_me", lambda subset, image: f"{_OBJECTS}/{subset}/{image}.xml")
