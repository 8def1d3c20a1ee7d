"""YOLO segmentation: polygons, which lead around holes along a cut."""

from __future__ import annotations

from pathlib import Path, PurePath

import yaml

from otx_seg.annotations.mask_regions import MaskRegion, MaskRegions
from otx_seg.formats.layouts.written_annotations import check_label_names
from otx_seg.labels import Labels
from otx_seg.runtime.whole_file import write_atomic

_SUBSET = "train"  # such data sets are divided


class Yolo:
    """An `AnnotationWriter` of ``labels/train/NAME.txt`` and ``data.yaml``; the number of a class is the label's index.

    The format has no colours.
    """

    images = f"images/{_SUBSET}"
    simplifies = True

    def __init__(self, folder: Path, labels: Labels, tolerance: float) -> None:
        check_label_names(labels)
        self._folder, self._labels, self._tolerance = folder, labels, tolerance

    def add(self, image: str, regions: MaskRegions) -> None:
        """See `AnnotationWriter`."""
        lines = "".join(f"{self._line(region, regions.size)}\n" for region in regions)
        write_atomic(self._folder / "labels" / _SUBSET / PurePath(image).with_suffix(".txt"), lines.encode())

    def _line(self, region: MaskRegion, size: tuple[int, int]) -> str:
        shares = region.polygon(self._tolerance) / size[::-1]
        return " ".join([str(region.label), *(f"{share:.8g}" for share in shares.ravel().tolist())])

    def close(self) -> None:
        """See `AnnotationWriter`."""
        names = dict(enumerate(self._labels.names))
        # Ultralytics asks for the key, not for the images.
        described = {_SUBSET: self.images, "val": None, "nc": len(names), "names": names}
        text = yaml.safe_dump(described, allow_unicode=True, sort_keys=False)
        write_atomic(self._folder / "data.yaml", text.encode())
