"""Datumaro: polygons, and masks for regions with holes."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Any

from otx_seg.annotations.mask_regions import MaskRegion, MaskRegions
from otx_seg.formats.layouts.written_annotations import (
    GrowingFile,
    check_label_names,
    coco_code,
    compact,
    plain_numbers,
)
from otx_seg.labels import Labels

_VERSION = "1.0"
_IMAGES = 2  # its number for images among the kinds of media


class Datumaro:
    """An `AnnotationWriter` of ``annotations/default.json``."""

    images = "images/default"
    simplifies = True

    def __init__(self, folder: Path, labels: Labels, tolerance: float) -> None:
        check_label_names(labels)
        self._tolerance = tolerance
        names = [{"name": name, "parent": "", "attributes": []} for name in labels.names]
        colors = [
            {"label_id": index, **dict(zip("rgb", color, strict=True))}
            for index, color in enumerate(labels.shown_colors)
        ]
        categories = {"label": {"labels": names, "label_groups": [], "attributes": []}, "mask": {"colormap": colors}}
        head = {"dm_format_version": _VERSION, "media_type": _IMAGES, "infos": {}, "categories": categories}
        self._file = GrowingFile(folder / "annotations" / "default.json", f'{compact(head)[:-1]},"items":[\n')

    def add(self, image: str, regions: MaskRegions) -> None:
        """See `AnnotationWriter`."""
        things = [self._thing(number, region, regions.size) for number, region in enumerate(regions, 1)]
        item = {"id": str(PurePath(image).with_suffix("")), "annotations": things, "attr": {}}
        self._file.append(compact({**item, "image": {"path": image, "size": list(regions.size)}}))

    def _thing(self, number: int, region: MaskRegion, size: tuple[int, int]) -> dict[str, Any]:
        thing = {"id": number, "attributes": {}, "group": 0, "label_id": region.label, "z_order": 0}
        if region.has_holes:
            return {**thing, "type": "mask", "rle": coco_code(region.runs_in_columns(size), size)}
        return {**thing, "type": "polygon", "points": plain_numbers(region.polygon(self._tolerance))}

    def close(self) -> None:
        """See `AnnotationWriter`."""
        self._file.close("\n]}\n")
