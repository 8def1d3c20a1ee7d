"""SYNTHIA: its random sets, SF and AL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from otx_seg.annotations.label_lists import labels_or_assumed
from otx_seg.annotations.masks import Color
from otx_seg.annotations.samples import Subset
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts.folder import DEFAULT_SUBSET, pair_files
from otx_seg.formats.layouts.layout_clues import holds_folders

_VARIANTS = {("RGB", "GT"): "Rand", ("RGBLeft", "GTLeft"): "Sf", ("RGB", "SemSeg"): "Al"}


class Synthia(DataFormat):
    """One of the SYNTHIA data sets, which are not divided into subsets::

        RGB/0000001.png  GT/0000001.png              Rand (also GT/COLOR/)
        RGBLeft/0000001.png  GTLeft/0000001.png      SF
        RGB/0000001.png  SemSeg/0000001.png          AL
        label_colors.txt                             red green blue name per line; without it those of SYNTHIA

    Masks are in colours. A label called Void is ignored.
    """

    title = "Synthia"
    layout = "RGB/ and GT/ or SemSeg/, or RGBLeft/ and GTLeft/"
    notes = "colour masks; text masks (`GTTXT/`) are not read. `Void` is ignored"

    def detects(self, root: Path) -> bool:
        return any(holds_folders(root, *folders) for folders in _VARIANTS)

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        folders = next((folders for folders in _VARIANTS if holds_folders(root, *folders)), None)
        if folders is None:
            raise DataError(f"{root}: a SYNTHIA data set has {self.layout}")
        return {DEFAULT_SUBSET: partial(_open, root, *folders)}


def _open(root: Path, images: str, masks: str) -> Subset:
    in_color = root / masks / "COLOR"
    samples, unmatched = pair_files(root / images, in_color if in_color.is_dir() else root / masks)
    known = partial(_known_labels, _VARIANTS[images, masks])
    labels, code = labels_or_assumed(root, "SYNTHIA", known)
    return Subset(root, labels, samples, unmatched, code)


def _known_labels(variant: str) -> tuple[Mapping[str, Color], Sequence[str]]:
    from datumaro.plugins.data_formats.synthia import format as synthia  # slow to import

    known: Mapping[str, Color] = getattr(synthia, f"Synthia{variant}LabelMap")
    # Datumaro gives SF's trucks the colour of its trains; theirs is that of Cityscapes.
    return {**known, "Truck": (0, 0, 70)} if variant == "Sf" else known, ()
