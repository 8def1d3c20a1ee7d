"""Images and masks in the same folders, told apart by how the masks' names end."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from otx_seg.datasets.data_format import Subsets
from otx_seg.datasets.dataset_meta import META_FILE
from otx_seg.datasets.folder import (
    DEFAULT_SUBSET,
    MASK_ENDINGS,
    SUBSETS,
    by_subset,
    index_images,
    listed_folders,
    masks_beside,
    paired,
)
from otx_seg.datasets.layout_clues import folders_on_the_way_down, image_stems
from otx_seg.datasets.masks import MaskCode
from otx_seg.datasets.samples import LeftOut, Sample, Subset
from otx_seg.datasets.values_found import listed_or_found
from otx_seg.labels import Labels
from otx_seg.words import count

_LOOKED_INTO, _DEPTH = 5, 2  # folders, and how far down, where the first one may be empty


class _Part(NamedTuple):
    """Images and masks of a subset: paths below `folder`, by what they have in common; and what lies beside it."""

    folder: Path
    images: Mapping[str, str]
    masks: Mapping[str, str]
    others: tuple[LeftOut, ...] = ()

    @property
    def has_pairs(self) -> bool:
        return not self.images.keys().isdisjoint(self.masks)


class ImagesBesideMasks:
    """Each image with its mask beside it, in any folders; those called train, val and test are subsets::

        a.jpg               train/a.jpg             patient 1/a.tif
        a_mask.png          train/a_mask.png        patient 1/a_mask.tif
        labels.txt          as for folders of images and masks

    Masks may also end in _label, _gt, _seg and the like, in a subset all of them alike.
    """

    title = "images beside their masks"
    layout = "a.jpg and a_mask.png, a_label.png or the like side by side"
    notes = "labels as above; in any folders, or in `train/`, `val/`, `test/`; gives way to any other format"
    takes_annotation_file = False

    def detects(self, root: Path) -> bool:
        """See `DataFormat`."""
        if (root / META_FILE).is_file():
            return False
        folders = [root]
        for folder in listed_folders(root)[:_LOOKED_INTO]:
            folders += folders_on_the_way_down(folder, _DEPTH)
        return any(masks_beside(image_stems(folder)) for folder in folders)

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        """See `DataFormat`."""
        parts = _parts(root)
        labels = functools.cache(partial(_labels, root, parts))  # the same for all, and looked for once
        return {name: partial(_open, part, labels) for name, part in parts.items()}


def _parts(root: Path) -> dict[str, _Part]:
    """The subsets that have pairs; the first one tells what lies beside them.

    Raises:
        DataError: two folders mean the same subset, or two files have the same name but for the suffix.
    """
    folders, files = by_subset(root), index_images(root)
    parts: dict[str, _Part] = {}
    for name in (name for name in SUBSETS if name in folders):
        inside = f"{folders[name].name}/"
        below = {key: path for key, path in files.items() if key.startswith(inside)}
        relative = {key.removeprefix(inside): path.removeprefix(inside) for key, path in below.items()}
        part = _divide(folders[name], relative)
        if part.has_pairs:
            parts[name] = part
            files = {key: path for key, path in files.items() if key not in below}
    rest = _divide(root, files)
    if "train" not in parts and (rest.has_pairs or not parts):
        return {DEFAULT_SUBSET: rest, **parts}
    name, first = next(iter(parts.items()))
    return {**parts, name: first._replace(others=tuple(_of_no_subset(first.folder, files.values())))}


def _divide(folder: Path, files: Mapping[str, str]) -> _Part:
    """Files told apart by the ending that the most masks have."""
    ending = max(MASK_ENDINGS, key=lambda ending: sum(f"{key}{ending}" in files for key in files))
    # An image may be called so too: a_mask.jpg, with a_mask_mask.png.
    masks = {
        key
        for key in files
        if key.endswith(ending) and (key.removesuffix(ending) in files or f"{key}{ending}" not in files)
    }
    images = {key: path for key, path in files.items() if key not in masks}
    return _Part(folder, images, {key.removesuffix(ending): files[key] for key in masks})


def _of_no_subset(folder: Path, paths: Iterable[str]) -> Iterator[LeftOut]:
    """A message for each file or folder beside the subset in `folder`."""
    entries = Counter(path.partition("/")[0] for path in paths)
    for name, number in sorted(entries.items()):
        yield LeftOut("files_of_no_subset", f"{count(number, 'file')} of no subset", str(folder), f"../{name}")


def _labels(root: Path, parts: Mapping[str, _Part]) -> tuple[Labels, MaskCode]:
    places = [part.folder for part in parts.values()]
    return listed_or_found(root, places, (sample.mask for part in parts.values() for sample in _samples(part)[0]))


def _open(part: _Part, labels_of: Callable[[], tuple[Labels, MaskCode]]) -> Subset:
    samples, unmatched = _samples(part)
    labels, code = labels_of()
    return Subset(part.folder, labels, samples, (*part.others, *unmatched), code)


def _samples(part: _Part) -> tuple[tuple[Sample, ...], tuple[LeftOut, ...]]:
    return paired(part.images, part.masks, part.folder, part.folder)
