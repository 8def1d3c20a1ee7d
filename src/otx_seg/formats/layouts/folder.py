"""From a folder in the Common Semantic Segmentation layout to subsets, without opening a single image.

Three layouts::

    root/dataset_meta.json     root/dataset_meta.json (or one in each subset)     root/dataset_meta.json
    root/images/               root/train/images/                                 root/images/train/
    root/masks/                root/train/masks/                                  root/masks/train/
                               root/val/images/  ...                              root/images/val/  ...

An image and a mask belong together when their paths below ``images/`` and ``masks/`` are equal but for the suffix.
Datumaro's own import would decode every mask and take the file's bare name for its identity.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from otx_seg.annotations.dataset_meta import META_FILE, read_dataset_meta, read_ignored_labels
from otx_seg.annotations.samples import LeftOut, Sample, Subset
from otx_seg.annotations.stored_masks import ARRAY_SUFFIX
from otx_seg.errors import DataError
from otx_seg.formats.layouts.layout_clues import entries_not_hidden
from otx_seg.formats.layouts.mask_names import mask_of_twins
from otx_seg.formats.layouts.what_lies_there import no_images, no_pairs, unknown_layout, unread_files
from otx_seg.runtime.image_files import entries_of, image_names, is_image_name, stem_of
from otx_seg.words import count

DEFAULT_SUBSET = "default"
"""The name of the subset whose images lie directly in the root."""

SUBSETS = ("train", "val", "test")
"""What subsets are called by everybody."""

_IMAGES, _MASKS = "images", "masks"
_CANONICAL = {"training": "train", "valid": "val", "validation": "val", "testing": "test"}
_LISTED = 5  # files named in a message


class Folders(NamedTuple):
    """Where a subset lies.

    Attributes:
        images: the folder of its images.
        masks: the folder of its masks.
        beside_images: files and folders beside `images` that belong to no subset; of one subset only, to be told once.
        beside_masks: the same beside `masks`.
    """

    images: Path
    masks: Path
    beside_images: tuple[Path, ...] = ()
    beside_masks: tuple[Path, ...] = ()


def subsets_in(root: Path) -> dict[str, Folders]:
    """Where each subset lies, by its name; nothing below is read. None in a folder of another layout.

    The name is "default" for images directly in the root, else the folder's in lower case, where "valid" and
    "validation" become "val".

    Raises:
        DataError: `root` is no folder, or two folders mean the same subset.
    """
    if not root.is_dir():
        raise DataError(f"{root}: {'not a folder' if root.exists() else 'no such folder'}")
    found: dict[str, Folders] = {}
    for place in layouts_in(root):
        folders = Folders(place / _IMAGES, place / _MASKS)
        parts = divided(folders) if place == root else {subset_name(place.name): folders}
        for name in parts.keys() & found.keys():
            both = [path.parent if path.name == _IMAGES else path for path in (found[name].images, parts[name].images)]
            first, second = (path.relative_to(root) for path in both)
            raise DataError(f"{root}: the folders {first} and {second} both are the subset {name}")
        found |= parts
    return found


def divided(folders: Folders) -> dict[str, Folders]:
    """The subsets in a folder of images and one of masks: the folders that both have, if one is called like a subset.

    Raises:
        DataError: two folders mean the same subset.
    """
    if not folders.masks.is_dir():
        return {DEFAULT_SUBSET: folders}
    images, masks = by_subset(folders.images), by_subset(folders.masks)
    names = [name for name in images if name in masks]
    if not any(name in SUBSETS for name in names):
        return {DEFAULT_SUBSET: folders}
    parts = {name: Folders(images[name], masks[name]) for name in names}
    told_with = "train" if "train" in parts else names[0]
    parts[told_with] = parts[told_with]._replace(
        beside_images=_beside(folders.images, [part.images for part in parts.values()]),
        beside_masks=_beside(folders.masks, [part.masks for part in parts.values()]),
    )
    return parts


def by_subset(folder: Path) -> dict[str, Path]:
    """The folders in a folder by the name that they have as subsets. Raises DataError if two mean the same subset."""
    found: dict[str, Path] = {}
    for path in listed_folders(folder):
        name = subset_name(path.name)
        if name in found and name in SUBSETS:
            raise DataError(f"{folder}: the folders {found[name].name} and {path.name} both are the subset {name}")
        found[name] = path
    return found


def _beside(folder: Path, used: Sequence[Path]) -> tuple[Path, ...]:
    names = {path.name for path in used}
    return tuple(folder / entry.name for entry in entries_of(str(folder)) if entry.name not in names)


def left_out(folders: Folders) -> tuple[LeftOut, ...]:
    """The files and folders of images or masks that lie beside the subsets."""
    return (
        *_of_no_subset(folders.images, folders.beside_images, "image", "masks"),
        *_of_no_subset(folders.masks, folders.beside_masks, "mask", "images"),
    )


def _of_no_subset(folder: Path, paths: Iterable[Path], kind: str, others: str) -> Iterator[LeftOut]:
    for path in sorted(path for path in paths if not path.name.startswith(".")):
        number = sum(1 for _ in image_names(str(path))) if path.is_dir() else int(is_image_name(path.name))
        if number:
            reason = f"{count(number, kind)} of no subset with {others}"
            yield LeftOut("files_of_no_subset", reason, str(folder), f"../{path.name}")


def layouts_in(root: Path) -> list[Path]:
    """Of `root` and the folders in it, those that hold ``images/``."""
    return [folder for folder in (root, *listed_folders(root)) if (folder / _IMAGES).is_dir()]


def subset_name(folder: str) -> str:
    """The name of the subset in a folder: in lower case, "valid" and "validation" as "val", and so on."""
    return _CANONICAL.get(folder.lower(), folder.lower())


def listed_folders(root: Path) -> list[Path]:
    """The folders in `root` that are not hidden, sorted."""
    try:
        return sorted(root / name for name, is_folder in entries_not_hidden(root) if is_folder)
    except OSError as error:
        raise DataError(f"{root}: cannot be read ({error.strerror})") from error


def open_subset(root: Path, folders: Folders) -> Subset:
    """One subset, its files indexed and paired.

    Args:
        root: the folder of the data set.
        folders: those of the subset, below `root`.

    Raises:
        DataError: the label file is unusable, or as `pair_files`.
    """
    samples, unmatched = pair_files(folders.images, folders.masks)
    beside = folders.images.parent / META_FILE
    meta = beside if beside.is_file() else root / META_FILE
    labels, mask_code = read_dataset_meta(meta)
    inside = folders.images.name != _IMAGES
    ignored = _ignored_labels(meta, samples, f"{folders.images.name}/" if inside else "")
    place = folders.images if inside else folders.images.parent
    return Subset(place, labels, samples, (*left_out(folders), *unmatched), mask_code, ignored_labels=ignored)


def pair_files(
    images_folder: Path, masks_folder: Path, image_ending: str = "", mask_ending: str = ""
) -> tuple[tuple[Sample, ...], tuple[LeftOut, ...]]:
    """Images and the masks that belong to them, by their paths below the two folders without suffix.

    Args:
        image_ending, mask_ending: what the names of images and masks end in before the suffix; other files in the two
            folders are passed over.

    Returns:
        the samples, sorted by name, and the files without partner.

    Raises:
        DataError: no images, no folder of masks, no pair, or two files of the same name.
    """
    images = index_images(images_folder, image_ending)
    if not images:
        raise DataError(no_images(images_folder, f" that end in {image_ending}" if image_ending else ""))
    if not masks_folder.is_dir():
        raise DataError(f"{masks_folder.parent}: {unknown_layout(masks_folder.parent)}")
    masks = index_images(masks_folder, mask_ending, (ARRAY_SUFFIX,))
    samples, unmatched = paired(images, masks, images_folder, masks_folder)
    return samples, (*unmatched, *unread_files(images_folder, masks_folder))


def paired(
    images: Mapping[str, str], masks: Mapping[str, str], images_folder: Path, masks_folder: Path
) -> tuple[tuple[Sample, ...], tuple[LeftOut, ...]]:
    """As `pair_files`, of relative paths by what those of an image and its mask have in common.

    Raises:
        DataError: no pair.
    """
    folders = (str(images_folder), str(masks_folder))
    unmatched = [
        LeftOut("unmatched_files", reason, folder, files[key])
        for reason, folder, files, others in (
            ("image without mask", folders[0], images, masks),
            ("mask without image", folders[1], masks, images),
        )
        for key in sorted(files.keys() - others.keys())
    ]
    samples = [Sample(images[key], masks[key], *folders) for key in images.keys() & masks.keys()]
    if not samples:
        place = images_folder if images_folder == masks_folder else images_folder.parent
        raise DataError(f"{place}: {no_pairs(images, masks, images_folder, masks_folder)}")
    return tuple(sorted(samples, key=lambda sample: sample.name)), tuple(unmatched)


def _ignored_labels(meta: Path, samples: Iterable[Sample], below: str) -> dict[str, tuple[str, ...]]:
    """What `read_ignored_labels` says, by the name of each sample it is about; `below` leads to it from ``images/``."""
    found: dict[str, tuple[str, ...]] = {}
    for pattern, labels in read_ignored_labels(meta).items():
        pattern = unicodedata.normalize("NFC", pattern)
        for sample in samples:
            if fnmatchcase(unicodedata.normalize("NFC", below + sample.name), pattern):
                found[sample.name] = found.get(sample.name, ()) + labels
    return found


def first_of(left_out: Sequence[LeftOut]) -> str:
    """The first few of them in one line, each reason once."""
    shown = left_out[:_LISTED]
    names = {
        each.reason: ", ".join(other.printable for other in shown if other.reason == each.reason) for each in shown
    }
    more = f" and {len(left_out) - _LISTED} more" if len(left_out) > _LISTED else ""
    return "; ".join(f"{reason}: {listed}" for reason, listed in names.items()) + more


def index_images(folder: Path, ending: str = "", others: tuple[str, ...] = (), beside: bool = False) -> dict[str, str]:
    """Relative path of every image file in `folder` and below, by that path without `ending` and suffix.

    Args:
        others: suffixes of files that count like images.
        beside: images and masks lie side by side: of a.jpg and a.png, the latter is indexed as ``a_mask``.

    Raises:
        DataError: two have the same name but for the suffix.
    """
    found: dict[str, str] = {}
    for name in image_names(str(folder), others):
        stem = stem_of(name)
        if not stem.endswith(ending):
            continue
        stem = stem[: len(stem) - len(ending)]
        # File systems disagree on how to spell an accented letter, so copies of a data set do too.
        key = stem if stem.isascii() else unicodedata.normalize("NFC", stem)
        mask = mask_of_twins(found[key], name) if beside and key in found else None
        if mask is not None:
            found[key], name = (name, mask) if mask == found[key] else (found[key], name)
            key = f"{key}_mask"
        if key in found:
            raise DataError(
                f"{folder}: {found[key]} and {name} have the same name but for the suffix, so it is not clear which "
                "belongs to the other folder's file; rename or remove one"
            )
        found[key] = name
    return found
