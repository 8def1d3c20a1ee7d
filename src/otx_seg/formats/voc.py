"""Pascal VOC."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from otx_seg.annotations.label_lists import labels_or_assumed, lines_of
from otx_seg.annotations.masks import Color
from otx_seg.annotations.samples import LeftOut, Sample, Subset
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts.folder import (
    DEFAULT_SUBSET,
    first_of,
    index_images,
    listed_folders,
    pair_files,
    subset_name,
)
from otx_seg.formats.layouts.layout_clues import holds_folders, holds_images_below
from otx_seg.formats.layouts.mask_names import kind_of
from otx_seg.runtime.image_files import file_names

_IMAGES, _LISTS = "JPEGImages", "ImageSets/Segmentation"
_MASKS = ("SegmentationClass", "SegmentationClassPNG")


class PascalVoc(DataFormat):
    """A data set as of the Pascal VOC challenges::

        JPEGImages/2007_000032.jpg
        SegmentationClass/2007_000032.png    palette numbers, or the palette's colours as RGB
        ImageSets/Segmentation/train.txt     names of images, one per line; without lists all images with a mask
        labelmap.txt                         name:red,green,blue:: per line, or another list of labels such as
                                             class_names.txt; without any the 20 objects and background

    As the program labelme exports it too (with numbers of pixels in ``SegmentationClass/*.npy`` and masks in
    ``SegmentationClassPNG/``). 255, and the colour of a label called ignored or void, is ignored.
    """

    title = "Pascal VOC"
    layout = f"{_IMAGES}/ and {_MASKS[0]}/"
    notes = (
        "subsets are the lists in `ImageSets/Segmentation/`; without any, all images that have masks (labelme exports "
        "such folders, with `SegmentationClassPNG/`). Labels are those of `labelmap.txt`, `class_names.txt` or another "
        "list, else Pascal VOC's 20 and background. 255 and a label called `ignored` or `void` are ignored. Boxes are "
        "not enough"
    )

    def detects(self, root: Path) -> bool:
        together = [(one, other) for one in (_IMAGES, "ImageSets") for other in (*_MASKS, "ImageSets") if one != other]
        return any(holds_folders(root, *names) for names in together)

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        masks = next((root / name for name in _MASKS if holds_images_below(root / name)), None)
        if masks is None:
            there = next((name for name in _MASKS if (root / name).is_dir()), None)
            what = f"the folder {there} holds no image files" if there else f"no folder {_MASKS[0]}"
            others = (folder.name for folder in listed_folders(root) if kind_of(folder.name) == "masks")
            other = next((name for name in others if name.startswith(_MASKS[0]) and name != there), None)
            raise DataError(
                f"{root}: {what}; if {other}/ holds the masks, call it {_MASKS[0]}"
                if other
                else f"{root}: {what}: this Pascal VOC data set has no masks that are read (boxes alone are not enough)"
            )
        if not (root / _IMAGES).is_dir():
            raise DataError(
                f"{root}: {masks.name}/ holds masks, and there is no folder {_IMAGES} with their images; put them "
                "there under the names of the masks, or export once more with images"
            )
        names = file_names(str(root / _LISTS)) if (root / _LISTS).is_dir() else ()
        lists = sorted(root / _LISTS / name for name in names if name.lower().endswith(".txt"))
        if not lists:  # as the program labelme writes it
            return {DEFAULT_SUBSET: partial(_open, root, masks, None)}
        found = {subset_name(path.stem): partial(_open, root, masks, path) for path in lists}
        if {"train", "val"} <= found.keys():
            found.pop("trainval", None)  # both of them once more
        return found


def _open(root: Path, masks_folder: Path, listed: Path | None) -> Subset:
    labels, code = labels_or_assumed(root, "Pascal VOC", _known_labels)
    if listed is None:
        samples, unmatched = pair_files(root / _IMAGES, masks_folder)
    else:
        samples, unmatched = _listed_samples(root, masks_folder, listed)
    return Subset(root, labels, samples, unmatched, code)


def _listed_samples(root: Path, masks_folder: Path, listed: Path) -> tuple[tuple[Sample, ...], tuple[LeftOut, ...]]:
    images, masks = index_images(root / _IMAGES), index_images(masks_folder)
    folders = (str(root / _IMAGES), str(masks_folder))
    names = list(dict.fromkeys(unicodedata.normalize("NFC", line) for line in lines_of(listed)))  # as of the index
    samples = [Sample(images[name], masks[name], *folders) for name in names if name in images and name in masks]
    unmatched = []
    for name in names:
        if name not in images or name not in masks:
            lacking, folder = ("image", folders[0]) if name not in images else ("mask", folders[1])
            unmatched.append(LeftOut("missing_files", f"named in {listed.name}, but without {lacking}", folder, name))
    if not samples:
        raise DataError(f"{listed}: names no image that has a mask; {first_of(unmatched)}")
    return tuple(sorted(samples, key=lambda sample: sample.name)), tuple(unmatched)


def _known_labels() -> tuple[Mapping[str, Color], Sequence[str]]:
    from datumaro.plugins.data_formats.voc.format import VocColormap, VocLabel  # slow to import

    known: dict[str, Color] = {}
    for label in VocLabel:
        red, green, blue = map(int, VocColormap[label.value])
        known[label.name] = (red, green, blue)
    return known, ()
