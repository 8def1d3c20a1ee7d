"""Pascal VOC."""

from __future__ import annotations

import unicodedata
from functools import partial
from pathlib import Path

from otx_seg.datasets.data_format import Subsets
from otx_seg.datasets.dataset_meta import META_FILE, read_dataset_meta
from otx_seg.datasets.folder import first_of, index_images, subset_name
from otx_seg.datasets.label_lists import Listed, labels_and_code, lines_of
from otx_seg.datasets.layout_clues import files_with, holds_folders
from otx_seg.datasets.masks import Color, MaskCode
from otx_seg.datasets.samples import LeftOut, Sample, Subset
from otx_seg.errors import DataError
from otx_seg.labels import Labels

_IMAGES, _MASKS, _LISTS, _LABELS = "JPEGImages", "SegmentationClass", "ImageSets/Segmentation", "labelmap.txt"
_VOID = ("ignored", "void")


class PascalVoc:
    """A data set as of the Pascal VOC challenges::

        JPEGImages/2007_000032.jpg
        SegmentationClass/2007_000032.png    palette numbers, or the palette's colours as RGB
        ImageSets/Segmentation/train.txt     names of images, one per line
        labelmap.txt                         name:red,green,blue:: per line; without it the 20 objects and background

    255, and the colour of a label called ignored or void, is ignored.
    """

    title = "Pascal VOC"
    layout = f"{_IMAGES}/ and {_MASKS}/"
    notes = (
        "subsets are the lists in `ImageSets/Segmentation/`; labels those of `labelmap.txt`, else Pascal VOC's 20 "
        "and background. 255 and a label called `ignored` or `void` are ignored. Boxes alone are refused"
    )
    takes_annotation_file = False

    def detects(self, root: Path) -> bool:
        """See `DataFormat`."""
        return holds_folders(root, _IMAGES, _MASKS) or holds_folders(root, _IMAGES, "ImageSets")

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        """See `DataFormat`."""
        if not (root / _MASKS).is_dir():
            raise DataError(
                f"{root}: no folder {_MASKS}: this Pascal VOC data set has no masks (boxes alone are not enough)"
            )
        lists = files_with(root / _LISTS, ".txt")
        if not lists:
            raise DataError(f"{root / _LISTS}: no list of images; expected is train.txt with one name per line")
        found = {subset_name(path.stem): partial(_open, root, path) for path in lists}
        if {"train", "val"} <= found.keys():
            found.pop("trainval", None)  # both of them once more
        return found


def _open(root: Path, listed: Path) -> Subset:
    labels, code = _labels(root)
    images, masks = index_images(root / _IMAGES), index_images(root / _MASKS)
    folders = (str(root / _IMAGES), str(root / _MASKS))
    names = list(dict.fromkeys(unicodedata.normalize("NFC", line) for line in lines_of(listed)))  # as of the index
    samples = [Sample(images[name], masks[name], *folders) for name in names if name in images and name in masks]
    unmatched = []
    for name in names:
        if name not in images or name not in masks:
            lacking, folder = ("image", folders[0]) if name not in images else ("mask", folders[1])
            unmatched.append(LeftOut("missing_files", f"named in {listed.name}, but without {lacking}", folder, name))
    if not samples:
        raise DataError(f"{listed}: names no image that has a mask; {first_of(unmatched)}")
    return Subset(root, labels, tuple(sorted(samples, key=lambda sample: sample.name)), tuple(unmatched), code)


def _labels(root: Path) -> tuple[Labels, MaskCode]:
    if (root / META_FILE).is_file():
        return read_dataset_meta(root / META_FILE)
    if (root / _LABELS).is_file():
        return labels_and_code(_read_label_map(root / _LABELS), root / _LABELS, _VOID)
    from datumaro.plugins.data_formats.voc.format import VocColormap, VocLabel  # slow to import

    known: dict[str, Color | None] = {}
    for label in VocLabel:
        red, green, blue = map(int, VocColormap[label.value])
        known[label.name] = (red, green, blue)
    return labels_and_code(known, root, _VOID)


def _read_label_map(path: Path) -> Listed:
    listed: dict[str, Color | None] = {}
    for line in lines_of(path):
        name, _, rest = line.partition(":")
        channels = rest.partition(":")[0].split(",") if rest.partition(":")[0] else []
        if len(channels) not in (0, 3) or not all(part.strip().isdigit() and int(part) <= 255 for part in channels):
            raise DataError(f"{path}: {line!r} is no label; expected is name:red,green,blue::")
        if name in listed:
            raise DataError(f"{path}: the label {name!r} stands there twice; give each its own name")
        listed[name] = (int(channels[0]), int(channels[1]), int(channels[2])) if channels else None
    return listed
