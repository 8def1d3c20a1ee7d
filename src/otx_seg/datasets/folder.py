"""From a folder in the Common Semantic Segmentation layout to subsets, without opening a single image.

Two layouts::

    root/dataset_meta.json            root/dataset_meta.json   (or one in each subset)
    root/images/                      root/train/images/
    root/masks/                       root/train/masks/
                                      root/val/images/  ...

An image and a mask belong together when their paths below ``images/`` and ``masks/`` are equal but for the suffix.
Datumaro's own import would decode every mask and take the file's bare name for its identity.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from otx_seg.datasets.dataset_meta import META_FILE, read_dataset_meta, read_ignored_labels
from otx_seg.datasets.samples import Sample, Subset
from otx_seg.errors import DataError
from otx_seg.runtime.images import IMAGE_SUFFIXES

DEFAULT_SUBSET = "default"
"""The name of the subset whose images lie directly in the root."""

_IMAGES, _MASKS = "images", "masks"
_CANONICAL = {"training": "train", "valid": "val", "validation": "val", "testing": "test"}
_LISTED = 5  # files named in a message


def find_subsets(root: Path) -> dict[str, Path]:
    """The folders that hold ``images/``, by subset name; nothing below is read.

    The name is "default" for images directly in the root, else the folder's in lower case, where "valid" and
    "validation" become "val".

    Raises:
        DataError: `root` is no folder or holds no such folder, or two folders mean the same subset.
    """
    found = subsets_in(root)
    if not found:
        raise DataError(_unknown_layout(root))
    return found


def subsets_in(root: Path) -> dict[str, Path]:
    """As `find_subsets`, but without any in a folder of another layout."""
    if not root.is_dir():
        raise DataError(f"{root}: {'not a folder' if root.exists() else 'no such folder'}")
    found: dict[str, Path] = {}
    for folder in layouts_in(root):
        name = DEFAULT_SUBSET if folder == root else subset_name(folder.name)
        if name in found:
            raise DataError(f"{root}: the folders {found[name].name} and {folder.name} both are the subset {name}")
        found[name] = folder
    return found


def layouts_in(root: Path) -> list[Path]:
    """Of `root` and the folders in it, those that hold ``images/``."""
    return [folder for folder in (root, *listed_folders(root)) if (folder / _IMAGES).is_dir()]


def subset_name(folder: str) -> str:
    """The name of the subset in a folder: in lower case, "valid" and "validation" as "val", and so on."""
    return _CANONICAL.get(folder.lower(), folder.lower())


def listed_folders(root: Path) -> list[Path]:
    """The folders in `root` that are not hidden, sorted."""
    try:
        with os.scandir(root) as entries:
            return sorted(root / entry.name for entry in entries if entry.is_dir() and entry.name[0] != ".")
    except OSError as error:
        raise DataError(f"{root}: cannot be read ({error.strerror})") from error


def _unknown_layout(root: Path) -> str:
    return (
        f"{root}: no folder {_IMAGES} here or in a subset folder; expected are {_IMAGES}/, {_MASKS}/ and "
        f"{META_FILE}, or train/, val/, test/ with {_IMAGES}/ and {_MASKS}/ in each, or a format that `otx convert "
        "--help` lists. Images without masks can teach a backbone: `otx train --train-type Selfsupervised`, without "
        "--val-data-roots"
    )


def open_subset(root: Path, folder: Path) -> Subset:
    """One subset, its files indexed and paired.

    Args:
        root: the folder of the data set, which no link may leave.
        folder: the folder with ``images/`` and ``masks/``; `root` or one in it.

    Raises:
        DataError: the label file is unusable, or as `pair_files`.
    """
    samples, unmatched = pair_files(folder / _IMAGES, folder / _MASKS, root)
    own_meta = folder / META_FILE
    meta = own_meta if own_meta.is_file() else root / META_FILE
    labels, mask_code = read_dataset_meta(meta)
    ignored = _ignored_labels(meta, samples)
    return Subset(folder, labels, samples, unmatched, mask_code, ignored_labels=ignored)


def pair_files(
    images_folder: Path, masks_folder: Path, root: Path, image_ending: str = "", mask_ending: str = ""
) -> tuple[tuple[Sample, ...], tuple[str, ...]]:
    """Images and the masks that belong to them, by their paths below the two folders without suffix.

    Args:
        root: the folder of the data set, which no link may leave.
        image_ending, mask_ending: what the names of images and masks end in before the suffix; other files in the two
            folders are passed over.

    Returns:
        the samples, sorted by name, and a message for each file without partner.

    Raises:
        DataError: no images, no folder of masks, no pair, two files of the same name, or a link out of `root`.
    """
    images = index_images(images_folder, root, image_ending)
    if not images:
        named = f" that end in {image_ending}" if image_ending else ""
        raise DataError(f"{images_folder}: no images{named} (looked for {', '.join(sorted(IMAGE_SUFFIXES))})")
    if not masks_folder.is_dir():
        raise DataError(
            f"{masks_folder.parent}: no folder {masks_folder.name}; each image needs a mask of the same name in it"
        )
    masks = index_images(masks_folder, root, mask_ending)
    unmatched = [f"image without mask: {images[key]}" for key in sorted(images.keys() - masks.keys())]
    unmatched += [f"mask without image: {masks[key]}" for key in sorted(masks.keys() - images.keys())]
    folders = (str(images_folder), str(masks_folder))
    samples = [Sample(images[key], masks[key], *folders) for key in images.keys() & masks.keys()]
    if not samples:
        raise DataError(f"{images_folder.parent}: no image has a mask of the same name; {first_of(unmatched)}")
    return tuple(sorted(samples, key=lambda sample: sample.name)), tuple(unmatched)


def _ignored_labels(meta: Path, samples: Iterable[Sample]) -> dict[str, tuple[str, ...]]:
    """What `read_ignored_labels` says, by the name of each sample it is about."""
    found: dict[str, tuple[str, ...]] = {}
    for pattern, labels in read_ignored_labels(meta).items():
        pattern = unicodedata.normalize("NFC", pattern)
        for sample in samples:
            if fnmatchcase(unicodedata.normalize("NFC", sample.name), pattern):
                found[sample.name] = found.get(sample.name, ()) + labels
    return found


def first_of(messages: Sequence[str]) -> str:
    """The first few of them in one line."""
    more = f" and {len(messages) - _LISTED} more" if len(messages) > _LISTED else ""
    return "; ".join(messages[:_LISTED]) + more


def index_images(folder: Path, root: Path, ending: str = "") -> dict[str, str]:
    """Relative path of every image file in `folder` and below, by that path without `ending` and suffix.

    Raises:
        DataError: two have the same name but for the suffix, or a link leads out of `root`.
    """
    found: dict[str, str] = {}
    for name in _image_names(str(folder), root):
        stem = name[: name.rindex(".")]
        if not stem.endswith(ending):
            continue
        stem = stem[: len(stem) - len(ending)]
        # File systems disagree on how to spell an accented letter, so copies of a data set do too.
        key = stem if stem.isascii() else unicodedata.normalize("NFC", stem)
        if key in found:
            raise DataError(
                f"{folder}: {found[key]} and {name} have the same name but for the suffix, so it is not clear which "
                "belongs to the other folder's file; rename or remove one"
            )
        found[key] = name
    return found


def _image_names(folder: str, root: Path) -> Iterator[str]:
    """Relative paths, with ``/``, of the image files in `folder` and below; hidden files are passed over."""
    real_root = os.path.realpath(root)
    # Each entry: the folder's path below `folder`, and the real folders that links have led through so far.
    pending = [("", frozenset((inside(folder, real_root),)))]
    while pending:
        below, entered = pending.pop()
        for entry in _entries(f"{folder}/{below}"):
            if entry.name.startswith("."):
                continue
            target = inside(entry.path, real_root) if entry.is_symlink() else None
            if entry.is_dir():
                if target is None or target not in entered:  # else the link leads in a circle
                    pending.append((f"{below}{entry.name}/", entered | {target} if target else entered))
            elif _suffix(entry.name) in IMAGE_SUFFIXES:
                yield _printable(f"{below}{entry.name}", folder)


def _suffix(name: str) -> str:
    return name[name.rfind(".") :].lower()  # a fifth of the time of Path.suffix, for 20,000 files twice


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from error


def inside(path: str, real_root: str) -> str:
    """The real path of `path`, which must lie in `real_root`.

    Raises:
        DataError: it does not.
    """
    real = os.path.realpath(path)
    if os.path.commonpath((real, real_root)) != real_root:
        raise DataError(f"{path}: leads out of the data folder, to {real}; copy the files into the data folder")
    return real


def _printable(name: str, folder: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{folder}: the file name {os.fsencode(name)!r} is not UTF-8; rename the file") from error
    return name
