"""LoveDA, land cover from the air."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from otx_seg.annotations.label_lists import labels_or_assumed
from otx_seg.annotations.samples import LeftOut, Sample, Subset
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts.folder import DEFAULT_SUBSET, first_of, listed_folders, pair_files, subset_name
from otx_seg.formats.layouts.layout_clues import holds_folders

_IMAGES, _MASKS = "images_png", "masks_png"
_NAMES = ("no-data", "background", "building", "road", "water", "barren", "forest", "agriculture")


class LoveDa(DataFormat):
    """A data set as of LoveDA::

        Train/Urban/images_png/1366.png     Train/Rural/images_png/0.png     Val/ ...
        Train/Urban/masks_png/1366.png      Train/Rural/masks_png/0.png

    Urban and Rural are of one subset. 0 is no-data, which is ignored; 1 is the background. Test/ has no masks.
    """

    title = "LoveDA"
    layout = f"Train/Urban/{_IMAGES}/ and Train/Urban/{_MASKS}/"
    notes = "0 is no data and ignored; the other values are LoveDA's seven labels, unless a list says otherwise"

    def detects(self, root: Path) -> bool:
        return bool(_regions(root))

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        regions = _regions(root)
        if not regions:
            raise DataError(f"{root}: no images with masks; LoveDA has {self.layout}")
        return {name: partial(_open, root, folders) for name, folders in regions.items()}


def _regions(root: Path) -> dict[str, list[Path]]:
    """The folders with images and masks by subset."""
    places = {DEFAULT_SUBSET: root, **{subset_name(folder.name): folder for folder in listed_folders(root)}}
    found = {
        name: [folder for folder in (place, *listed_folders(place)) if holds_folders(folder, _IMAGES, _MASKS)]
        for name, place in places.items()
    }
    if found.get(DEFAULT_SUBSET):  # the region itself, or Train/ or Val/ alone
        return {DEFAULT_SUBSET: found[DEFAULT_SUBSET]}
    return {name: folders for name, folders in found.items() if folders}


def _open(root: Path, regions: list[Path]) -> Subset:
    samples: list[Sample] = []
    unmatched: list[LeftOut] = []
    for region in regions:
        pairs, others = pair_files(region / _IMAGES, region / _MASKS)
        images, masks = ((region / part).relative_to(root).as_posix() for part in (_IMAGES, _MASKS))
        samples += [Sample(f"{images}/{one.name}", f"{masks}/{one.mask_name}", str(root), str(root)) for one in pairs]
        unmatched += others
    if not samples:
        raise DataError(f"{root}: no image has a mask; {first_of(unmatched)}")
    labels, code = labels_or_assumed(root, "LoveDA", lambda: (dict.fromkeys(_NAMES), ()))
    return Subset(root, labels, tuple(sorted(samples, key=lambda sample: sample.name)), tuple(unmatched), code)
