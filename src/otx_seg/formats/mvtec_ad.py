"""MVTec AD and data sets laid out like it: good images, defective ones, and masks of the defects."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

from otx_seg.annotations.label_lists import labels_and_code
from otx_seg.annotations.samples import LeftOut, Sample, Subset
from otx_seg.annotations.united_masks import objects_on_ground
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts.folder import DEFAULT_SUBSET, index_images, listed_folders
from otx_seg.formats.layouts.layout_clues import holds_folders
from otx_seg.formats.layouts.mask_names import stem_of_image
from otx_seg.words import listed

logger = logging.getLogger(__name__)

_GOOD, _MASKS, _GROUND = "good", "ground_truth", "background"
_PARTS = ("train", "test")


class MvtecAd(DataFormat):
    """A data set as of MVTec AD, one object of it or one of your own::

        train/good/000.png
        test/good/000.png
        test/crack/000.png
        ground_truth/crack/000_mask.png      black and white

    Labels are background and the kinds of defects, as their folders are called. Good images are all background. The
    division into train and test is for learning from good images alone: here, all images are one subset.
    """

    title = "MVTec AD"
    layout = "train/good/, test/crack/ and ground_truth/crack/"
    notes = (
        "a label for each folder of defects, and background, which is all that good images show. All images are one "
        "subset, since `train/` has good ones only"
    )

    def detects(self, root: Path) -> bool:
        return holds_folders(root, "test", _MASKS) and bool(_defects(root))

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        if not (root / _MASKS).is_dir() or not _defects(root):
            raise DataError(f"{root}: no masks of defects; a data set as of MVTec AD has {self.layout}")
        return {DEFAULT_SUBSET: partial(_open, root)}


def _defects(root: Path) -> list[str]:
    """The kinds of defects that have both images and masks."""
    tested = {folder.name for folder in listed_folders(root / "test")} if (root / "test").is_dir() else set()
    return [folder.name for folder in listed_folders(root / _MASKS) if folder.name in tested and folder.name != _GOOD]


def _open(root: Path) -> Subset:
    defects = _defects(root)
    labels, _ = labels_and_code(dict.fromkeys((_GROUND, *defects)), root)
    files: dict[str, list[tuple[str, int]]] = {}
    unmatched = []
    for folder in (kind for part in _PARTS if (root / part).is_dir() for kind in listed_folders(root / part)):
        masks = _masks_by_image(root / _MASKS / folder.name) if folder.name in defects else {}
        below = folder.relative_to(root).as_posix()
        for stem, path in sorted(index_images(folder).items()):
            if folder.name == _GOOD or stem in masks:
                shown = [(mask, labels.names.index(folder.name)) for mask in masks.get(stem, ())]
                files[f"{below}/{path}"] = shown
            else:
                unmatched.append(LeftOut("unmatched_files", "image without mask", str(root), f"{below}/{path}"))
    logger.info(
        "%s: good images show %s alone; the labels are the kinds of defects: %s; train/ and test/ are one subset, "
        "since train/ shows no defects",
        root,
        _GROUND,
        listed(defects),
    )
    folders = (str(root), str(root))
    samples = tuple(Sample(name, name, *folders) for name in sorted(files))
    reader = objects_on_ground(labels.names, files, f"{_MASKS}/")
    return Subset(root, labels, samples, tuple(unmatched), reader)


def _masks_by_image(folder: Path) -> dict[str, list[str]]:
    """The mask files of a kind of defect by the names of their images: 000_mask.png, 000.png, or all in 000/."""
    found: dict[str, list[str]] = {}
    for key, path in sorted(index_images(folder).items()):
        stem = stem_of_image(key, "_mask") or key.partition("/")[0]
        found.setdefault(stem, []).append(f"{folder}/{path}")
    return found
