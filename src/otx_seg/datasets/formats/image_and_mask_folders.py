"""Folders of images and masks with nothing that describes them but perhaps a list of labels."""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from pathlib import Path

from otx_seg.datasets.data_format import Subsets
from otx_seg.datasets.dataset_meta import META_FILE
from otx_seg.datasets.folder import (
    MASK_ENDINGS,
    Folders,
    divided,
    index_images,
    left_out,
    listed_folders,
    pair_files,
    subset_name,
)
from otx_seg.datasets.masks import MaskCode
from otx_seg.datasets.samples import LeftOut, Sample, Subset
from otx_seg.datasets.values_found import listed_or_found
from otx_seg.errors import DataError
from otx_seg.labels import Labels

_IMAGES = ("images", "image", "imgs", "img")
_MASKS = ("masks", "mask", "labels", "label", "annotations", "annotation", "gt", "ground_truth", "segmentation")
_Pairs = dict[str, Folders]


class ImageAndMaskFolders:
    """Images and masks in a folder each, in any of these ways, the folders called as in `_IMAGES` and `_MASKS`::

        images/a.jpg        train/images/a.jpg      images/train/a.jpg
        masks/a.png         train/masks/a.png       masks/train/a.png
        labels.txt          a label per line, in the order of the masks' values, with its colour if masks are in colours

    The mask of a.jpg may also be called a_mask.png, a_label.png, a_gt.png and the like. Without `labels.txt` there is a
    label for each value or colour found in the masks of all subsets: label_0, color_ff0000 and so on.
    """

    title = "folders of images and masks"
    layout = f"images/ and masks/, or {'/, '.join(_MASKS[2:])}/, without {META_FILE}"
    notes = "as above; gives way to any other format"
    takes_annotation_file = False

    def detects(self, root: Path) -> bool:
        """See `DataFormat`."""
        described = any((folder / META_FILE).is_file() for folder in (root, root.parent))
        return not described and bool(_pairs_of_folders(root))

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        """See `DataFormat`."""
        pairs = _pairs_of_folders(root)
        if not pairs:
            raise DataError(f"{root}: no folder of images with one of masks; expected are {self.layout}")
        labels = functools.cache(partial(_labels, root, pairs))  # the same for all, and looked for once
        return {name: partial(_open, root, folders, labels) for name, folders in pairs.items()}


def _pairs_of_folders(root: Path) -> _Pairs:
    """The folders of images and of masks, by subset."""
    found: _Pairs = {}
    for place in (root, *listed_folders(root)):
        pair = _pair_in(place)
        if pair is None:
            continue
        name = subset_name(place.name)
        for part, folders in (divided(pair) if place == root else {name: pair}).items():
            if part in found:
                raise DataError(f"{root}: {found[part].images} and {folders.images} both are the subset {part}")
            found[part] = folders
    return found


def _pair_in(place: Path) -> Folders | None:
    images, masks = (
        next((folder for name in names for folder in listed_folders(place) if folder.name.lower() == name), None)
        for names in (_IMAGES, _MASKS)
    )
    return None if images is None or masks is None else Folders(images, masks)


def _open(root: Path, folders: Folders, labels_of: Callable[[], tuple[Labels, MaskCode]]) -> Subset:
    samples, unmatched = _samples(folders)
    labels, code = labels_of()
    together = folders.images.parent == folders.masks.parent
    place = folders.images.parent if together else folders.images
    return Subset(place, labels, samples, (*left_out(folders), *unmatched), code)


def _samples(folders: Folders) -> tuple[tuple[Sample, ...], tuple[LeftOut, ...]]:
    """As `pair_files`, with the ending of the masks' names that the most images have a mask by."""
    names = index_images(folders.images).keys()
    matches = {ending: len(names & index_images(folders.masks, ending).keys()) for ending in ("", *MASK_ENDINGS)}
    best = max(matches, key=lambda ending: matches[ending])
    return pair_files(folders.images, folders.masks, mask_ending=best)


def _labels(root: Path, pairs: _Pairs) -> tuple[Labels, MaskCode]:
    places = [folders.images.parent for folders in pairs.values()]
    return listed_or_found(root, places, (mask for folders in pairs.values() for mask in _masks(folders)))


def _masks(folders: Folders) -> list[str]:
    """Those of a subset that have images; none of one that cannot be used: whoever opens that is told."""
    try:
        return [sample.mask for sample in _samples(folders)[0]]
    except DataError:
        return []
