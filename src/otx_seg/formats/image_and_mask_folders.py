"""Folders of images and masks with nothing that describes them but perhaps a list of labels."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from otx_seg.annotations.dataset_meta import META_FILE
from otx_seg.annotations.masks import MaskCode
from otx_seg.annotations.samples import Sample, Subset
from otx_seg.annotations.stored_masks import ARRAY_SUFFIX
from otx_seg.annotations.values_found import listed_or_found
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts.folder import (
    SUBSETS,
    Folders,
    divided,
    index_images,
    left_out,
    listed_folders,
    subset_name,
)
from otx_seg.formats.layouts.layout_clues import holds_images_below
from otx_seg.formats.layouts.mask_names import is_plain, kind_of, subset_word
from otx_seg.formats.layouts.mask_pairs import Pairs, pairs_of_folders
from otx_seg.formats.layouts.what_lies_there import no_images, unread_files
from otx_seg.labels import Labels

logger = logging.getLogger(__name__)

_FEW = 10
_DEEP = 2  # folders between the root and those of a subset, as in LIP


class _Place(NamedTuple):
    """A folder of images, and those of masks that may belong to it."""

    images: tuple[Path, ...]
    masks: tuple[Path, ...]


class ImageAndMaskFolders(DataFormat):
    """Images and masks in a folder each, in any of these ways, the folders called as in `mask_names`::

        images/a.jpg        train/images/a.jpg      images/train/a.jpg      train_images/a.jpg      train/a.jpg
        masks/a.png         train/masks/a.png       masks/train/a.png       train_masks/a.png       train_labels/a.png
        labels.txt          a label per line, in the order of the masks' values, with its colour if masks are in colours

    Other folders count by the words in their names (2_Ortho_RGB, 5_Labels_all), where files in them belong together.
    The mask of a.jpg may also be called a_mask.png, a_label.png, a_GT.png and the like, or the names of all images and
    masks differ by the same words (a_rgb.jpg, a_gt_ids.png); several (a_mask.png, a_mask_1.png) are united. Without a
    list of labels there is one for each value or colour found in the masks of all subsets: label_0, color_ff0000, ...
    """

    title = "folders of images and masks"
    layout = (
        "images/ and masks/, or img_dir/ and the like and labels/, annotations/, ann_dir/, ground_truth/ and the like, "
        f"without {META_FILE}; or train/ and train_labels/"
    )
    notes = "as above; gives way to any other format"

    def detects(self, root: Path) -> bool:
        described = any((folder / META_FILE).is_file() for folder in (root, root.parent))
        return not described and bool(_places(root))

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        places = _places(root)
        if not places:
            raise DataError(f"{root}: no folder of images with one of masks; expected are {self.layout}")
        folders = _subsets(root, {name: _chosen(root, place) for name, place in places.items()})
        labels = functools.cache(partial(_labels, root, folders))  # the same for all, and looked for once
        return {name: partial(_open, found, labels) for name, found in folders.items()}


def _places(root: Path) -> dict[str, _Place]:
    """The folders of images and of masks, by subset; "" for those that may be divided into subsets themselves.

    Raises:
        DataError: two folders mean the same subset.
    """
    inside = listed_folders(root)
    below = {"": inside, **{folder.name: listed_folders(folder) for folder in inside}}
    found: dict[str, _Place] = {}
    for name, folders in below.items():
        plain = [folder for folder in folders if is_plain(folder.name)]
        _add(root, found, name, _Place(_of_kind(plain, "images"), _of_kind(plain, "masks")))
    for name, here in _by_subset(inside).items():
        if name not in found:
            found[name] = here
    deep = level = inside if len(inside) <= _FEW and not found else []
    for _ in range(_DEEP):
        level = [below for folder in level for below in listed_folders(folder)[:_FEW]]
        deep = [*deep, *level]
    found = found or _by_subset(deep)
    if not found:
        for name, folders in below.items():
            if not name or subset_name(name) in SUBSETS:
                _add(root, found, name, _that_fit(folders))
    return found


def _add(root: Path, found: dict[str, _Place], folder: str, place: _Place) -> None:
    name = subset_name(folder)
    if not place.images or not place.masks:
        return
    if name in found:
        raise DataError(f"{root}: {found[name].images[0]} and {place.images[0]} both are the subset {name}")
    found[name] = place


def _of_kind(folders: Sequence[Path], kind: str) -> tuple[Path, ...]:
    """Those that hold images or masks by their names: those with files, or all where none has any."""
    found = tuple(folder for folder in folders if kind_of(folder.name) == kind)
    return tuple(folder for folder in found if holds_images_below(folder)) or found


def _that_fit(folders: Sequence[Path]) -> _Place:
    """Folders of masks by some word in their names, and those of images that belong to these.

    Those that are called like images come before others.
    """
    masks = tuple(folder for folder in _of_kind(folders, "masks") if holds_images_below(folder))
    for kind in ("images", "") if masks else ():
        images = (folder for folder in _of_kind(folders, kind) if holds_images_below(folder))
        fitting = tuple(one for one in images if any(_fit(one, mask) for mask in masks))
        if fitting:
            return _Place(fitting, masks)
    return _Place((), ())


def _fit(images: Path, masks: Path) -> bool:
    """Whether some of the masks belong to images, or it is not clear which: whoever opens the folders is told."""
    try:
        return bool(_pairs(Folders(images, masks)).matches)
    except DataError:
        return True


def _by_subset(folders: Sequence[Path]) -> dict[str, _Place]:
    """Folders called like a subset: train_images and train_masks, or train and train_labels."""
    parts: dict[str, list[Path]] = {}
    for folder in folders:
        word = subset_word(folder.name)
        if word:
            parts.setdefault(subset_name(word), []).append(folder)
    found = {
        name: _Place(_of_kind(place, "images") or _of_kind(place, ""), _of_kind(place, "masks"))
        for name, place in parts.items()
    }
    return {name: place for name, place in found.items() if place.images and place.masks}


def _chosen(root: Path, place: _Place) -> Folders:
    """The folders to learn from: the only ones that fit.

    Raises:
        DataError: several folders of images or of masks do.
    """
    if len(place.images) == len(place.masks) == 1:
        return Folders(place.images[0], place.masks[0])
    matches = {
        (images, masks): _pairs(Folders(images, masks)).matches for images in place.images for masks in place.masks
    }
    fitting = [pair for pair, number in matches.items() if number] or list(matches)[:1]
    if len(fitting) > 1:
        side = 0 if fitting[0][0] != fitting[1][0] else 1
        first, second = (pair[side].relative_to(root) for pair in fitting[:2])
        raise DataError(
            f"{root}: two folders of {('images', 'masks')[side]} fit, {first} ({matches[fitting[0]]:,} pairs) and "
            f"{second} ({matches[fitting[1]]:,}); keep the one to train on there, and move the other elsewhere or "
            f"rename it, to {second}_unused, say"
        )
    return Folders(*fitting[0])


def _subsets(root: Path, places: dict[str, Folders]) -> dict[str, Folders]:
    """Folders by subset, once those in the root are divided, or in the only folder in it that is no subset."""
    if len(places) == 1 and not {*places} & {*SUBSETS}:
        places = dict.fromkeys(("",), *places.values())
    parts = divided(places[""]) if "" in places else {}
    found = {name: folders for name, folders in places.items() if name}
    for name in parts.keys() & found.keys():
        raise DataError(f"{root}: {parts[name].images} and {found[name].images} both are the subset {name}")
    return {**parts, **found}


def _open(folders: Folders, labels_of: Callable[[], tuple[Labels, MaskCode]]) -> Subset:
    pairs = _pairs(folders)
    samples, unmatched = pairs.samples()
    labels, code = labels_of()
    names = (folders.images.name, folders.masks.name)
    if not all(is_plain(name, subset_word(name)) for name in names):
        logger.info("%s has the masks of the images in %s", folders.masks, folders.images)
    together = folders.images.parent == folders.masks.parent and not subset_word(folders.images.name)
    place = folders.images.parent if together else folders.images
    return Subset(
        place,
        labels,
        samples,
        (*left_out(folders), *unmatched, *unread_files(folders.images, folders.masks)),
        pairs.reader(labels, code),
    )


def _pairs(folders: Folders) -> Pairs:
    images, masks = index_images(folders.images), index_images(folders.masks, others=(ARRAY_SUFFIX,))
    if not images:
        raise DataError(no_images(folders.images))
    return pairs_of_folders(folders.images, folders.masks, images, masks)


def _labels(root: Path, subsets: dict[str, Folders]) -> tuple[Labels, MaskCode]:
    places = [place for folders in subsets.values() for place in folders.images.parents if root in place.parents]
    return listed_or_found(root, places, (sample for folders in subsets.values() for sample in _with_masks(folders)))


def _with_masks(folders: Folders) -> list[Sample]:
    """Those of a subset that have images; none of one that cannot be used: whoever opens that is told."""
    try:
        return _pairs(folders).masked()
    except DataError:
        return []
