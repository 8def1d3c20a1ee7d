"""Datumaro's Common Semantic Segmentation, with subset folders or without."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from otx_seg.annotations.dataset_meta import META_FILE
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts import folder
from otx_seg.formats.layouts.what_lies_there import unknown_layout


class CommonSemanticSegmentation(DataFormat):
    """``images/``, ``masks/`` and ``dataset_meta.json``, or subset folders with these; see `layouts.folder`."""

    title = "Common Semantic Segmentation"
    layout = f"images/ and masks/ with {META_FILE}"
    notes = "as above; also in subset folders"

    def detects(self, root: Path) -> bool:
        found = folder.layouts_in(root)
        return any((place / "masks").is_dir() for place in found) and any(
            (place / META_FILE).is_file() for place in (root, *found)
        )

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        found = folder.subsets_in(root)
        if not found:
            raise DataError(f"{root}: {unknown_layout(root)}")
        return {name: partial(folder.open_subset, root, place) for name, place in found.items()}
