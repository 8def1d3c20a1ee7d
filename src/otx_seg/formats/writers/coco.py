"""COCO: polygons, and run-length codes for regions with holes."""

from __future__ import annotations

from pathlib import Path
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


class Coco:
    """An `AnnotationWriter` of ``annotations/instances_default.json``; the id of a category is the label's index + 1.

    Categories have their colour as in COCO's panoptic files.
    """

    images = "images/default"
    simplifies = True

    def __init__(self, folder: Path, labels: Labels, tolerance: float) -> None:
        check_label_names(labels)
        self._tolerance = tolerance
        categories = [
            {"id": index, "name": name, "supercategory": "", "color": list(color)}
            for index, (name, color) in enumerate(zip(labels.names, labels.shown_colors, strict=True), 1)
        ]
        head = f'{{"info":{{}},"licenses":[],"categories":{compact(categories)},"annotations":[\n'
        self._file = GrowingFile(folder / "annotations" / "instances_default.json", head)
        self._images: list[dict[str, Any]] = []
        self._objects = 0

    def add(self, image: str, regions: MaskRegions) -> None:
        """See `AnnotationWriter`."""
        number = len(self._images) + 1
        height, width = regions.size
        objects = []
        for region in regions:
            self._objects += 1
            described = {
                "id": self._objects,
                "image_id": number,
                "category_id": region.label + 1,
                "segmentation": self._shape(region, regions.size),
                "area": region.pixels,
                "bbox": region.box,
                "iscrowd": 0,
            }
            objects.append(compact(described))
        if objects:
            self._file.append(",\n".join(objects))
        self._images.append({"id": number, "file_name": image, "width": width, "height": height})

    def _shape(self, region: MaskRegion, size: tuple[int, int]) -> Any:
        if region.has_holes:
            return coco_code(region.runs_in_columns(size), size)
        return [plain_numbers(region.polygon(self._tolerance))]

    def close(self) -> None:
        """See `AnnotationWriter`."""
        self._file.close(f'\n],"images":{compact(self._images)}}}\n')
