"""Images and masks in the same folders, told apart by how the masks' names end."""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from pathlib import Path

from otx_seg.datasets.data_format import Subsets
from otx_seg.datasets.dataset_meta import META_FILE
from otx_seg.datasets.folder import (
    DEFAULT_SUBSET,
    MASK_ENDINGS,
    SUBSETS,
    Folders,
    entries_beside,
    first_of,
    index_images,
    left_out,
    listed_folders,
    subset_name,
)
from otx_seg.datasets.layout_clues import folders_on_the_way_down, image_stems
from otx_seg.datasets.masks import MaskCode
from otx_seg.datasets.samples import LeftOut, Sample, Subset
from otx_seg.datasets.values_found import listed_or_found
from otx_seg.errors import DataError
from otx_seg.labels import Labels

_ENDINGS = tuple(filter(None, MASK_ENDINGS))
_LOOKED_INTO = 10  # folders, where the first one may be empty


class ImagesBesideMasks:
    """Each image with its mask beside it, in any folders; those called train, val and test are subsets::

        a.jpg               train/a.jpg             patient 1/a.tif
        a_mask.png          train/a_mask.png        patient 1/a_mask.tif
        labels.txt          as for folders of images and masks

    Masks may also end in _label, _gt, _seg and the like, all of them alike.
    """

    title = "images beside their masks"
    layout = "a.jpg and a_mask.png, a_label.png or the like side by side"
    takes_annotation_file = False

    def detects(self, root: Path) -> bool:
        """See `DataFormat`."""
        if (root / META_FILE).is_file():
            return False
        folders = (*listed_folders(root)[:_LOOKED_INTO], *folders_on_the_way_down(root))
        found = map(image_stems, folders)
        return any(f"{stem}{ending}" in stems for stems in found for ending in _ENDINGS for stem in stems)

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        """See `DataFormat`."""
        places = _places(root)
        labels = functools.cache(partial(_labels, root, places))  # the same for all, and looked for once
        return {name: partial(_open, folders, labels) for name, folders in places.items()}


def _places(root: Path) -> dict[str, Folders]:
    """The folder of each subset, which holds images and masks."""
    found: dict[str, Path] = {}
    for folder in listed_folders(root):
        name = subset_name(folder.name)
        if name in found:
            raise DataError(f"{root}: {found[name]} and {folder} both are the subset {name}")
        if name in SUBSETS:
            found[name] = folder
    if "train" not in found:
        return {DEFAULT_SUBSET: Folders(root, root)}
    others = entries_beside(root, list(found.values()))
    return {name: Folders(place, place, others if name == "train" else ()) for name, place in found.items()}


def _labels(root: Path, places: dict[str, Folders]) -> tuple[Labels, MaskCode]:
    folders = [place.images for place in places.values()]
    return listed_or_found(root, folders, (sample.mask for folder in folders for sample in _samples(folder)[0]))


def _open(folders: Folders, labels_of: Callable[[], tuple[Labels, MaskCode]]) -> Subset:
    samples, unmatched = _samples(folders.images)
    labels, code = labels_of()
    return Subset(folders.images, labels, samples, (*left_out(folders), *unmatched), code)


def _samples(folder: Path) -> tuple[tuple[Sample, ...], tuple[LeftOut, ...]]:
    """Images with their masks, sorted by name, and the files without partner.

    Raises:
        DataError: no image has a mask, or two files have the same name but for the suffix.
    """
    files = index_images(folder)
    matches = {ending: sum(f"{key}{ending}" in files for key in files) for ending in _ENDINGS}
    ending = max(_ENDINGS, key=lambda ending: matches[ending])
    masks = {key.removesuffix(ending): path for key, path in files.items() if key.endswith(ending)}
    images = {key: path for key, path in files.items() if not key.endswith(ending)}
    place = str(folder)
    unmatched = [LeftOut("unmatched_files", "image without mask", place, images[key]) for key in images.keys() - masks]
    unmatched += [LeftOut("unmatched_files", "mask without image", place, masks[key]) for key in masks.keys() - images]
    unmatched.sort(key=str)
    samples = [Sample(images[key], masks[key], place, place) for key in images.keys() & masks]
    if not samples:
        raise DataError(f"{folder}: no image has a mask beside it, such as a_mask.png; {first_of(unmatched)}")
    return tuple(sorted(samples, key=lambda sample: sample.name)), tuple(unmatched)
