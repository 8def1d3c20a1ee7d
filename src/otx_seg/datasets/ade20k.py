"""What the two editions of the full ADE20K have in common: images, masks and descriptions side by side."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from otx_seg.datasets.coded_objects import coded_objects
from otx_seg.datasets.data_format import Subsets
from otx_seg.datasets.dataset_meta import META_FILE, check_names, read_dataset_meta
from otx_seg.datasets.folder import first_of, index_images, listed_folders, subset_name
from otx_seg.datasets.layout_clues import a_deep_folder, files_with
from otx_seg.datasets.samples import Sample, Subset
from otx_seg.errors import DataError
from otx_seg.labels import Labels, background_index, default_colors

_MASK_ENDING = "_seg"
_NO_IMAGE = re.compile(rf"{_MASK_ENDING}$|_parts_\d+$|^instance_")
Describe = Callable[[Path], Mapping[int, str]]
"""The label of each code in a mask, from the description of an image."""


def holds_descriptions(root: Path, ending: str) -> bool:
    """Whether some folder deep below a folder of `root` has masks and files whose names end in `ending`."""
    for folder in listed_folders(root):
        deep = a_deep_folder(folder)
        if files_with(deep, f"{_MASK_ENDING}.png") and files_with(deep, ending):
            return True
    return False


def ade20k_subsets(root: Path, ending: str, describe: Describe, by_instance: bool) -> Subsets:
    """The subsets of a data set: its folders.

    Args:
        ending: what a description is called after the name of the image without suffix.
        describe: reads one.
        by_instance: see `CodedObjects`.

    Raises:
        DataError: there is no folder with masks.
    """
    folders = {subset_name(folder.name): folder for folder in listed_folders(root) if _pairs(root, folder)}
    if not folders:
        raise DataError(
            f"{root}: no folder such as training/ with images a.jpg, masks a{_MASK_ENDING}.png and texts a{ending}"
        )
    return {name: partial(_open, root, name, folders, ending, describe, by_instance) for name in folders}


def _pairs(root: Path, folder: Path) -> tuple[dict[str, str], dict[str, str]] | None:
    """Images and masks below a folder by their names without ending and suffix; None where there are no masks."""
    masks = index_images(folder, root, _MASK_ENDING)
    if not masks:
        return None
    every = index_images(folder, root)
    return {key: name for key, name in every.items() if not _NO_IMAGE.search(key.rpartition("/")[2])}, masks


def _open(
    root: Path, name: str, folders: Mapping[str, Path], ending: str, describe: Describe, by_instance: bool
) -> Subset:
    described: dict[str, dict[str, Mapping[int, str]]] = {}
    samples: list[Sample] = []
    unmatched: list[str] = []
    for subset, folder in folders.items():  # all of them, so that the labels of all subsets are the same
        images, masks = _pairs(root, folder) or ({}, {})
        found = described.setdefault(subset, {})
        for key, image in sorted(images.items()):
            description = folder / f"{key}{ending}"
            missing = "mask" if key not in masks else "description" if not description.is_file() else None
            if missing is None:
                found[image] = describe(description)
            if subset == name and missing is None:
                samples.append(Sample(image, masks[key], str(folder), str(folder)))
            elif subset == name:
                unmatched.append(f"image without {missing}: {image}")
    if not samples:
        raise DataError(f"{folders[name]}: no image has a mask and a description; {first_of(unmatched)}")
    labels = _labels(root, described)
    reader = coded_objects(labels.names, described[name], by_instance)
    return Subset(folders[name], labels, tuple(samples), tuple(unmatched), reader)


def _labels(root: Path, described: Mapping[str, Mapping[str, Mapping[int, str]]]) -> Labels:
    if (root / META_FILE).is_file():
        return read_dataset_meta(root / META_FILE)[0]
    every = {label for found in described.values() for labels in found.values() for label in labels.values()}
    names = tuple(sorted(every))
    check_names(names, root)
    return Labels(names, default_colors(len(names)), background_index(names))
