"""The semantic segmentation benchmark of KITTI."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from otx_seg.annotations.label_lists import labels_or_assumed
from otx_seg.annotations.samples import Subset
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.cityscapes import all_labels
from otx_seg.formats.layouts.folder import listed_folders, pair_files, subset_name

_IMAGES, _MASKS, _INSTANCES = "image_2", "semantic", "instance"
_INSTANCE_BITS = 8


class Kitti(DataFormat):
    """A data set as of KITTI's benchmark of semantic segmentation::

        training/image_2/000000_10.png
        training/semantic/000000_10.png      values of labels
        training/instance/000000_10.png      instead: 256 times the label, and the number of the object
        label_colors.txt                     red green blue name per line, in the order of the masks' values

    Without a list of labels, the labels are the 19 that Cityscapes scores; all other pixels are ignored.
    """

    title = "KITTI"
    layout = f"training/{_IMAGES}/ and training/{_MASKS}/ or training/{_INSTANCES}/"
    notes = "labels as for `cityscapes`"

    def detects(self, root: Path) -> bool:
        return any((folder / _IMAGES).is_dir() and _masks_in(folder) for folder in listed_folders(root))

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        found = {folder: _masks_in(folder) for folder in listed_folders(root) if (folder / _IMAGES).is_dir()}
        opened = {
            subset_name(folder.name): partial(_open, root, folder, masks) for folder, masks in found.items() if masks
        }
        if not opened:
            raise DataError(
                f"{root}: no masks; a KITTI data set of semantic segmentation has {self.layout} (boxes in label_2/ "
                "are not enough)"
            )
        return opened


def _masks_in(folder: Path) -> str | None:
    return next((name for name in (_MASKS, _INSTANCES) if (folder / name).is_dir()), None)


def _open(root: Path, folder: Path, masks: str) -> Subset:
    samples, unmatched = pair_files(folder / _IMAGES, folder / masks)
    bits = _INSTANCE_BITS if masks == _INSTANCES else 0
    labels, code = labels_or_assumed(root, "Cityscapes", all_labels, by_value=True, instance_bits=bits)
    return Subset(folder, labels, samples, unmatched, code)
