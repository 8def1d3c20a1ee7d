"""BDD100K's semantic segmentation."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from otx_seg.annotations.label_lists import labels_or_assumed
from otx_seg.annotations.samples import Subset
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.cityscapes import scored_labels
from otx_seg.formats.layouts.folder import by_subset, pair_files
from otx_seg.formats.layouts.layout_clues import holds_folders

_IMAGES, _LABELS = "images/10k", "labels/sem_seg"
_MASKS, _COLORS = "masks", "colormaps"


class Bdd100k(DataFormat):
    """A data set as of BDD100K, the 10,000 images with semantic masks::

        images/10k/train/0004a4c0.jpg
        labels/sem_seg/masks/train/0004a4c0.png          values of labels, 255 ignored
        labels/sem_seg/colormaps/train/0004a4c0.png      instead: in colours

    Without a list of labels they are the 19 that Cityscapes scores.
    """

    title = "BDD100K"
    layout = f"{_IMAGES}/train/ and {_LABELS}/{_MASKS}/train/ or {_COLORS}/train/"
    notes = "labels as for `cityscapes`; those that `masks/` has in numbers come before the colours of `colormaps/`"

    def detects(self, root: Path) -> bool:
        return holds_folders(root / "images", "10k") and _masks_of(root) is not None

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        masks = _masks_of(root)
        if masks is None or not (root / _IMAGES).is_dir():
            raise DataError(f"{root}: no semantic masks; BDD100K has {self.layout}")
        images = by_subset(root / _IMAGES)
        found = {name: folder for name, folder in by_subset(masks).items() if name in images}
        if not found:
            raise DataError(f"{masks}: no folder is called as one in {root / _IMAGES}; expected are train/ and val/")
        return {name: partial(_open, root, images[name], folder) for name, folder in found.items()}


def _masks_of(root: Path) -> Path | None:
    return next((root / _LABELS / name for name in (_MASKS, _COLORS) if (root / _LABELS / name).is_dir()), None)


def _open(root: Path, images: Path, masks: Path) -> Subset:
    samples, unmatched = pair_files(images, masks)
    by_color = masks.parent.name == _COLORS
    more = {"unlabeled": (0, 0, 0)} if by_color else {}
    labels, code = labels_or_assumed(
        root, "Cityscapes", lambda: ({**scored_labels()[0], **more}, ()), by_value=not by_color
    )
    return Subset(images, labels, samples, unmatched, code)
