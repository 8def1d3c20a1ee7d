"""Images and masks in the same folders, told apart by how the masks' names end."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from otx_seg.annotations.dataset_meta import META_FILE
from otx_seg.annotations.masks import MaskCode
from otx_seg.annotations.samples import LeftOut, Subset
from otx_seg.annotations.values_found import listed_or_found
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts.folder import DEFAULT_SUBSET, SUBSETS, by_subset, index_images, listed_folders
from otx_seg.formats.layouts.layout_clues import folders_on_the_way_down, holds_twins, image_stems
from otx_seg.formats.layouts.mask_names import masks_beside
from otx_seg.formats.layouts.mask_pairs import Pairs, pairs_beside
from otx_seg.labels import Labels
from otx_seg.words import count

_LOOKED_INTO, _DEPTH = 5, 2  # folders, and how far down, where the first one may be empty


class _Part(NamedTuple):
    """The files of a subset, and what lies beside it."""

    pairs: Pairs
    others: tuple[LeftOut, ...] = ()


class ImagesBesideMasks(DataFormat):
    """Each image with its mask beside it, in any folders; those called train, val and test are subsets::

        a.jpg               train/a.jpg             patient 1/a.tif
        a_mask.png          train/a_mask.png        patient 1/a_mask.tif
        labels.txt          as for folders of images and masks

    Masks may also end in _label, _GT, _seg and the like, in a subset all of them alike, and images in something else
    (a_sat.jpg); a.png beside a.jpg is its mask. Several masks of an image (a_mask.png, a_mask_1.png) are united; of two
    that overlap, the smaller region stays visible.
    """

    title = "images beside their masks"
    layout = "a.jpg and a_mask.png, a_label.png or the like side by side"
    notes = "labels as above; in any folders, or in `train/`, `val/`, `test/`; gives way to any other format"

    def detects(self, root: Path) -> bool:
        if (root / META_FILE).is_file():
            return False
        folders = [root]
        for folder in listed_folders(root)[:_LOOKED_INTO]:
            folders += folders_on_the_way_down(folder, _DEPTH)
        return any(holds_twins(folder) or masks_beside(image_stems(folder)) for folder in folders)

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        parts = _parts(root)
        labels = functools.cache(partial(_labels, root, parts))  # the same for all, and looked for once
        return {name: partial(_open, part, labels) for name, part in parts.items()}


def _parts(root: Path) -> dict[str, _Part]:
    """The subsets that have pairs; the first one tells what lies beside them.

    Raises:
        DataError: two folders mean the same subset, two files have the same name but for the suffix, or two masks fit
            an image.
    """
    folders, files = by_subset(root), index_images(root, beside=True)
    parts: dict[str, _Part] = {}
    for name in (name for name in SUBSETS if name in folders):
        inside = f"{folders[name].name}/"
        below = {key: path for key, path in files.items() if key.startswith(inside)}
        relative = {key.removeprefix(inside): path.removeprefix(inside) for key, path in below.items()}
        part = _Part(pairs_beside(folders[name], relative))
        if part.pairs.matches:
            parts[name] = part
            files = {key: path for key, path in files.items() if key not in below}
    rest = _Part(pairs_beside(root, files))
    if "train" not in parts and (rest.pairs.matches or not parts):
        return {DEFAULT_SUBSET: rest, **parts}
    name, first = next(iter(parts.items()))
    others = tuple(_of_no_subset(first.pairs.images_folder, files.values()))
    return {**parts, name: first._replace(others=others)}


def _of_no_subset(folder: Path, paths: Iterable[str]) -> Iterator[LeftOut]:
    """A message for each file or folder beside the subset in `folder`."""
    entries = Counter(path.partition("/")[0] for path in paths)
    for name, number in sorted(entries.items()):
        yield LeftOut("files_of_no_subset", f"{count(number, 'file')} of no subset", str(folder), f"../{name}")


def _labels(root: Path, parts: Mapping[str, _Part]) -> tuple[Labels, MaskCode]:
    places = [part.pairs.images_folder for part in parts.values()]
    return listed_or_found(root, places, (sample for part in parts.values() for sample in part.pairs.masked()))


def _open(part: _Part, labels_of: Callable[[], tuple[Labels, MaskCode]]) -> Subset:
    samples, unmatched = part.pairs.samples()
    labels, code = labels_of()
    reader = part.pairs.reader(labels, code)
    return Subset(part.pairs.images_folder, labels, samples, (*part.others, *unmatched), reader)
