"""CVAT: polygons, and brush masks for regions with holes."""

from __future__ import annotations

import json
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from otx_seg.annotations.mask_regions import MaskRegion, MaskRegions
from otx_seg.formats.layouts.written_annotations import GrowingFile, check_label_names, hexadecimal, plain_points
from otx_seg.labels import Labels
from otx_seg.runtime.whole_file import write_atomic

_LONGEST_NAME = 64  # characters that CVAT's database keeps of a label
_LABELS = "labels.json"


class Cvat:
    """An `AnnotationWriter` of ``annotations.xml``, as in "CVAT for images 1.1".

    ``labels.json`` holds the labels as CVAT's editor of a task or project takes them (its tab "Raw").
    """

    images = "images"
    simplifies = True

    def __init__(self, folder: Path, labels: Labels, tolerance: float) -> None:
        check_label_names(labels, _LONGEST_NAME)
        self._folder, self._labels, self._tolerance = folder, labels, tolerance
        self._colors = [hexadecimal(color) for color in labels.shown_colors]
        described = "".join(
            f"<label><name>{escape(name)}</name><color>{color}</color><type>any</type><attributes></attributes></label>"
            for name, color in zip(labels.names, self._colors, strict=True)
        )
        meta = f"<meta><task><labels>{described}</labels></task></meta>"
        head = f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n{meta}\n'
        self._file = GrowingFile(folder / "annotations.xml", head, "\n")
        self._images = 0

    def add(self, image: str, regions: MaskRegions) -> None:
        """See `AnnotationWriter`."""
        height, width = regions.size
        shapes = "".join(f"\n{self._shape(region)}" for region in regions)
        described = f'id="{self._images}" name={quoteattr(image)} width="{width}" height="{height}"'
        self._file.append(f"<image {described}>{shapes}\n</image>")
        self._images += 1

    def _shape(self, region: MaskRegion) -> str:
        common = f'label={quoteattr(self._labels.names[region.label])} source="auto" occluded="0" z_order="0"'
        if region.has_holes:
            left, top, width, height = region.box
            runs = ",".join(map(str, region.runs_in_box().tolist()))
            box = f'left="{left}" top="{top}" width="{width}" height="{height}"'
            return f'<mask {common} rle="{runs}" {box}></mask>'
        points = ";".join(f"{x},{y}" for x, y in plain_points(region.polygon(self._tolerance)))
        return f'<polygon {common} points="{points}"></polygon>'

    def close(self) -> None:
        """See `AnnotationWriter`."""
        named = [
            {"name": name, "color": color, "type": "any", "attributes": []}
            for name, color in zip(self._labels.names, self._colors, strict=True)
        ]
        write_atomic(self._folder / _LABELS, (json.dumps(named, indent=2, ensure_ascii=False) + "\n").encode())
        self._file.close("\n</annotations>\n")
