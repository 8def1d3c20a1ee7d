"""The desktop program labelme: polygons, which lead around holes along a cut."""

from __future__ import annotations

from pathlib import Path, PurePath

import yaml

from otx_seg.annotations.label_lists import OWN_LIST
from otx_seg.annotations.mask_regions import MaskRegion, MaskRegions
from otx_seg.formats.layouts.written_annotations import check_label_names, compact, label_list, plain_points
from otx_seg.labels import Labels
from otx_seg.runtime.whole_file import write_atomic

_VERSION = "5.5.0"  # of labelme, whose files look like this
INSET = 0.25
"""Pixels by which outlines lie inside of a region: labelme counts all pixels that an outline touches."""

_CONFIGURATION = "labelmerc.yaml"


class Labelme:
    """An `AnnotationWriter` of a JSON file beside each image, and of ``labels.txt``.

    ``labelmerc.yaml`` holds the labels' colours, for labelme's option ``--config``.
    """

    images = ""
    simplifies = True

    def __init__(self, folder: Path, labels: Labels, tolerance: float) -> None:
        check_label_names(labels)
        self._folder, self._labels, self._tolerance = folder, labels, tolerance
        self._list = label_list(labels)

    def add(self, image: str, regions: MaskRegions) -> None:
        """See `AnnotationWriter`."""
        content = {
            "version": _VERSION,
            "flags": {},
            "shapes": [self._shape(region) for region in regions],
            "imagePath": image,
            "imageData": None,
            "imageHeight": regions.size[0],
            "imageWidth": regions.size[1],
        }
        write_atomic(self._folder / PurePath(image).with_suffix(".json"), compact(content).encode())

    def _shape(self, region: MaskRegion) -> dict[str, object]:
        points = plain_points(region.polygon(self._tolerance, INSET))
        shape = {"label": self._labels.names[region.label], "points": points, "group_id": None, "description": ""}
        return {**shape, "shape_type": "polygon", "flags": {}}

    def close(self) -> None:
        """See `AnnotationWriter`."""
        write_atomic(self._folder / OWN_LIST, self._list.encode())
        colors = {name: list(color) for name, color in zip(self._labels.names, self._labels.shown_colors, strict=True)}
        settings = {"labels": [*self._labels.names], "shape_color": "manual", "label_colors": colors}
        text = yaml.safe_dump(settings, allow_unicode=True, sort_keys=False)
        write_atomic(self._folder / _CONFIGURATION, text.encode())
