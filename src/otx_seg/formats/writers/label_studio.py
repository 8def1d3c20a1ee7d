"""Label Studio: brush strokes, which hold every region to the pixel."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from otx_seg.annotations.bitmaps import brush_code
from otx_seg.annotations.label_lists import OWN_LIST
from otx_seg.annotations.mask_regions import MaskRegion, MaskRegions
from otx_seg.formats.layouts.written_annotations import (
    GrowingFile,
    check_label_names,
    compact,
    hexadecimal,
    label_list,
)
from otx_seg.labels import Labels
from otx_seg.runtime.whole_file import write_atomic

_CONTROL, _IMAGE = "label", "image"  # names of the two tags of its interface, and of the value of a task


class LabelStudio:
    """An `AnnotationWriter` of ``tasks.json``: a task for each image with a prediction.

    ``labeling_config.xml`` is the interface that these tasks need, with labels and colours; ``labels.txt`` keeps the
    order of the labels. Images are named as files that Label Studio serves from this folder.
    """

    images = "images"
    simplifies = False

    def __init__(self, folder: Path, labels: Labels, tolerance: float) -> None:
        check_label_names(labels)
        for name in labels.names:
            if name.startswith("$"):
                raise ValueError(f"{name!r} begins with $, which stands for a value of a task there")
        self._folder, self._labels, self._list = folder, labels, label_list(labels)
        self._file = GrowingFile(folder / "tasks.json", "[\n")

    def add(self, image: str, regions: MaskRegions) -> None:
        """See `AnnotationWriter`."""
        data = {_IMAGE: f"/data/local-files/?d={quote(f'{self.images}/{image}')}"}
        results = [self._result(number, region, regions.size) for number, region in enumerate(regions)]
        self._file.append(compact({"data": data, "predictions": [{"model_version": "otx", "result": results}]}))

    def _result(self, number: int, region: MaskRegion, size: tuple[int, int]) -> dict[str, object]:
        label, code = self._labels.names[region.label], brush_code(region.runs_in_rows(size))
        return {
            "id": f"region{number}",
            "type": "brushlabels",
            "from_name": _CONTROL,
            "to_name": _IMAGE,
            "original_width": size[1],
            "original_height": size[0],
            "image_rotation": 0,
            "value": {"format": "rle", "rle": code, "brushlabels": [label]},
        }

    def close(self) -> None:
        """See `AnnotationWriter`."""
        write_atomic(self._folder / OWN_LIST, self._list.encode())
        each = "".join(
            f"    <Label value={quoteattr(name)} background={quoteattr(hexadecimal(color))}/>\n"
            for name, color in zip(self._labels.names, self._labels.shown_colors, strict=True)
        )
        labels = f'  <BrushLabels name="{_CONTROL}" toName="{_IMAGE}">\n{each}  </BrushLabels>\n'
        image = f'  <Image name="{_IMAGE}" value="${_IMAGE}" zoom="true" zoomControl="true"/>\n'
        write_atomic(self._folder / "labeling_config.xml", f"<View>\n{image}{labels}</View>\n".encode())
        self._file.close("\n]\n")
