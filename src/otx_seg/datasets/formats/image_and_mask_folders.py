"""Folders of images and masks with nothing that describes them but perhaps a list of labels."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from otx_seg.datasets.data_format import Subsets
from otx_seg.datasets.dataset_meta import META_FILE
from otx_seg.datasets.folder import DEFAULT_SUBSET, index_images, listed_folders, pair_files, subset_name
from otx_seg.datasets.label_lists import labels_and_code, read_label_list
from otx_seg.datasets.masks import MaskCode
from otx_seg.datasets.samples import Sample, Subset
from otx_seg.datasets.values_found import find_labels
from otx_seg.errors import DataError
from otx_seg.labels import Labels

_IMAGES = ("images", "image", "imgs", "img")
_MASKS = ("masks", "mask", "labels", "label", "annotations", "annotation", "gt", "ground_truth", "segmentation")
_ENDINGS = ("", "_mask", "_masks", "_label", "_labels", "_gt", "_seg", "_segmentation", "_annotation", "_L")
_LABELS = "labels.txt"
_Pairs = dict[str, tuple[Path, Path]]


class ImageAndMaskFolders:
    """Images and masks in a folder each, in any of these ways, the folders called as in `_IMAGES` and `_MASKS`::

        images/a.jpg        train/images/a.jpg      images/train/a.jpg
        masks/a.png         train/masks/a.png       masks/train/a.png
        labels.txt          a label per line, in the order of the masks' values, with its colour if masks are in colours

    The mask of a.jpg may also be called a_mask.png, a_label.png, a_gt.png and the like. Without `labels.txt` there is a
    label for each value or colour found in the masks of all subsets, label_0 and so on.
    """

    title = "folders of images and masks"
    layout = f"images/ and masks/, or {'/, '.join(_MASKS[2:])}/, without {META_FILE}"
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
        name = DEFAULT_SUBSET if place == root else subset_name(place.name)
        for part, folders in [(name, pair)] if place != root else _divided(*pair):
            if part in found:
                raise DataError(f"{root}: {found[part][0]} and {folders[0]} both are the subset {part}")
            found[part] = folders
    return found


def _pair_in(place: Path) -> tuple[Path, Path] | None:
    images, masks = (
        next((folder for name in names for folder in listed_folders(place) if folder.name.lower() == name), None)
        for names in (_IMAGES, _MASKS)
    )
    return None if images is None or masks is None else (images, masks)


def _divided(images: Path, masks: Path) -> Iterator[tuple[str, tuple[Path, Path]]]:
    """The subsets in a folder of images: its folders if they are called like subsets and like those of the masks."""
    parts = {folder.name: folder for folder in listed_folders(images)}
    others = {folder.name: folder for folder in listed_folders(masks)}
    if parts and parts.keys() == others.keys() and all(subset_name(name) in ("train", "val", "test") for name in parts):
        for name, folder in parts.items():
            yield subset_name(name), (folder, others[name])
    else:
        yield DEFAULT_SUBSET, (images, masks)


def _open(root: Path, folders: tuple[Path, Path], labels_of: Callable[[], tuple[Labels, MaskCode]]) -> Subset:
    samples, unmatched = _samples(root, *folders)
    labels, code = labels_of()
    images, masks = folders
    return Subset(images.parent if images.parent == masks.parent else images, labels, samples, unmatched, code)


def _samples(root: Path, images: Path, masks: Path) -> tuple[tuple[Sample, ...], tuple[str, ...]]:
    """As `pair_files`, with the ending of the masks' names that the most images have a mask by."""
    names = index_images(images, root).keys()
    matches = {ending: len(names & index_images(masks, root, ending).keys()) for ending in _ENDINGS}
    return pair_files(images, masks, root, mask_ending=max(matches, key=lambda ending: matches[ending]))


def _labels(root: Path, pairs: _Pairs) -> tuple[Labels, MaskCode]:
    places = (root, *(images.parent for images, _ in pairs.values()))
    listed = next((place / _LABELS for place in places if (place / _LABELS).is_file()), None)
    if listed is not None:
        return labels_and_code(read_label_list(listed), listed)
    return find_labels(root, [sample.mask for pair in pairs.values() for sample in _samples(root, *pair)[0]])
