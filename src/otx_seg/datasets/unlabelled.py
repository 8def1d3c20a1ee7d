"""Images without masks: what semi-supervised and self-supervised training learn from."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.listed_paths import possible_paths
from otx_seg.datasets.check.copies import equal_files
from otx_seg.datasets.scan import for_each
from otx_seg.errors import DataError
from otx_seg.formats.layouts.folder import DEFAULT_SUBSET, subsets_in
from otx_seg.formats.layouts.mask_names import MASK_ENDINGS, called_alike, kind_of, masks_beside
from otx_seg.formats.layouts.what_lies_there import MAY_HOLD_MASKS
from otx_seg.runtime.image_files import IMAGE_SUFFIXES, file_names, images_in, unread_in
from otx_seg.runtime.images import read_image, verify_image
from otx_seg.runtime.plain_files import read_text, shown

logger = logging.getLogger(__name__)

_TELLING_ENDINGS = tuple(ending for ending in MASK_ENDINGS if len(ending) > 2)  # a_L may be seen from the left


@dataclass(frozen=True)
class ImageSet:
    """Images that are used together. Nothing is decoded until it is read.

    Attributes:
        root: the folder that holds them.
        paths: sorted.
    """

    root: Path
    paths: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def read_image(self, index: int) -> NDArray[np.uint8]:
        """An image, uint8 (H, W, 3) RGB. Raises DataError naming the file."""
        return read_image(self.paths[index])

    def name(self, index: int) -> str:
        """The path of an image relative to the folder."""
        return os.path.relpath(self.paths[index], self.root)

    def without(self, paths: Collection[str]) -> ImageSet:
        """The set without the images of these paths."""
        left_out = set(paths)
        return replace(self, paths=tuple(path for path in self.paths if path not in left_out))


def open_unlabelled(root: Path, file_list: Path | None = None) -> ImageSet:
    """The images in a folder and below; in a data set laid out for training, its training images (see `open_training`).

    Args:
        root: the folder. Nothing is written there.
        file_list: a text file that names the images to use, one path per line relative to `root`; None: all.

    Raises:
        DataError: no such folder, no image in it, masks among the images, or the list names a file that is not there or
            not in the folder.
    """
    folder = _image_folder(root)
    paths = images_in(folder)
    unread = unread_in(folder)
    if unread:
        logger.warning("%s: left out: %s", folder, unread)
    stems = [str(path.with_suffix("")) for path in paths]
    beside = masks_beside(stems)
    for path, stem in zip(paths, stems, strict=True):
        in_folder = any(kind_of(part) == "masks" for part in path.relative_to(folder).parts[:-1])
        if in_folder or stem in beside:
            raise DataError(f"{root}: {path} looks like a mask, not like an image; name the folder of the images")
    found = [str(path) for path in paths]
    if file_list is not None:
        found = _listed(root, folder, found, file_list)
    if not found:
        raise DataError(f"{folder}: no images without masks to learn from")
    return ImageSet(folder, tuple(found))


def _image_folder(root: Path) -> Path:
    """The folder of the training images of a data set; any other folder itself."""
    subsets = subsets_in(root) if root.is_dir() else {}
    for name in ("train", DEFAULT_SUBSET, *(subsets if len(subsets) == 1 else ())):
        if name in subsets:
            return subsets[name].images
    if subsets:
        raise DataError(f"{root}: which images to train on? Found {', '.join(subsets)}, expected train; give its path")
    return root


def holds_bare_images(root: Path) -> bool:
    """Whether images lie directly in a folder, or in its folder ``images``, and nothing beside them could label them.

    Other folders, files such as ``dataset_meta.json`` or ``masks.zip``, and pairs such as a.jpg with a.png could.
    """
    try:
        entries = [entry for entry in root.iterdir() if not entry.name.startswith(".")]
        folders = [entry.name for entry in entries if entry.is_dir()]
        if folders not in ([], ["images"]):
            return False
        below = file_names(str(root / "images")) if folders else ()
        files = [entry for entry in entries if not entry.is_dir()] + [Path(name) for name in below]
    except (OSError, DataError):
        return False
    if {file.suffix.lower() for file in files} & MAY_HOLD_MASKS or called_alike(map(str, files)):
        return False
    stems = [str(file.with_suffix("")) for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    called_like_masks = masks_beside(stems) or any(stem.lower().endswith(_TELLING_ENDINGS) for stem in stems)
    paired = len({stem.lower() for stem in stems}) < len(stems) or called_like_masks
    return bool(stems) and not paired


def _listed(root: Path, folder: Path, found: list[str], file_list: Path) -> list[str]:
    lines = read_text(file_list).splitlines()
    known = set(found)
    chosen = []
    for line in filter(None, map(str.strip, lines)):
        candidates = [str(place / below) for below in possible_paths(line, shortened=False) for place in (root, folder)]
        path = next((path for path in candidates if path in known), None)
        if path is None:
            raise DataError(
                f"{file_list}: names {shown(line)}, which is no image in {root}; paths are relative to that folder"
            )
        chosen.append(path)
    return sorted(set(chosen))


class CheckedImages(NamedTuple):
    """Images that were all read.

    Attributes:
        kept: those that can be decoded.
        damages: a message for each of the others.
        sizes: ((height, width) in pixels, number of images) of those kept, the most frequent size first.
    """

    kept: ImageSet
    damages: tuple[str, ...]
    sizes: tuple[tuple[tuple[int, int], int], ...]


def check_images(
    images: ImageSet, progress: Callable[[int], None] | None = None, threads: int | None = None
) -> CheckedImages:
    """Read every file to its end once.

    Args:
        images: the images.
        progress: called in the caller's thread with the number of images done so far, after each one.
        threads: number of threads that read; None for one per processor.

    Raises:
        DataError: none is left.
    """
    found = for_each(_size_or_damage, images.paths, progress, threads)
    broken = {path: what for path, what in zip(images.paths, found, strict=True) if isinstance(what, str)}
    kept = images.without(broken)
    if not kept.paths:
        raise DataError(f"{images.root}: none of the {len(images)} images can be used; first: {found[0]}")
    sizes = Counter(size for size in found if not isinstance(size, str))
    return CheckedImages(kept, tuple(broken.values()), tuple(sizes.most_common()))


def _size_or_damage(path: str) -> tuple[int, int] | str:
    try:
        return verify_image(path)
    except DataError as error:
        return str(error)


def leave_out_copies(images: ImageSet, others: Iterable[str]) -> tuple[ImageSet, tuple[str, ...]]:
    """The images without those whose file is equal, byte for byte, to one of `others`, and the paths of these.

    Raises:
        DataError: a file cannot be read, or none is left.
    """
    labelled = set(others)
    copies = {path for path in images.paths if path in labelled}
    for group in equal_files((*labelled, *images.paths)):
        if not labelled.isdisjoint(group):
            copies.update(path for path in group if path not in labelled)
    kept = images.without(copies)
    if not kept.paths:
        raise DataError(f"{images.root}: each of its {len(images)} images is also labelled; give others")
    return kept, tuple(sorted(copies))
