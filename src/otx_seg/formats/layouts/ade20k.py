"""What the two editions of the full ADE20K have in common: images, masks and descriptions side by side."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.dataset_meta import META_FILE, check_labels, read_dataset_meta
from otx_seg.annotations.samples import LeftOut, MaskReader, Sample, Subset
from otx_seg.annotations.stored_masks import MaskContentError, stored_mask
from otx_seg.errors import DataError
from otx_seg.formats import Subsets
from otx_seg.formats.layouts.folder import first_of, index_images, listed_folders, subset_name
from otx_seg.formats.layouts.layout_clues import files_with, folders_on_the_way_down
from otx_seg.labels import IGNORE_INDEX, Labels, background_index, default_colors

MOST_CODES = 1 << 14
"""Codes of objects and classes are below this."""

_CLASS_STEP = 10  # red counts the hundreds of classes in steps of ten
_MASK_ENDING = "_seg"
_NO_IMAGE = re.compile(rf"{_MASK_ENDING}$|_parts_\d+$|^instance_")
Describe = Callable[[Path], Mapping[int, str]]
"""The label of each code in a mask, from the description of an image."""

_Described = Mapping[str, Mapping[str, Mapping[int, str]]]  # by subset and name of the image


def holds_descriptions(root: Path, ending: str) -> bool:
    """Whether some folder deep below a folder of `root` has masks and files whose names end in `ending`."""
    return any(
        files_with(deep, f"{_MASK_ENDING}.png") and files_with(deep, ending)
        for folder in listed_folders(root)
        for deep in folders_on_the_way_down(folder)
    )


def ade20k_subsets(root: Path, ending: str, describe: Describe, by_instance: bool) -> Subsets:
    """The subsets of a data set: its folders.

    Args:
        ending: what a description is called after the name of the image without suffix.
        describe: reads one.
        by_instance: see `CodedObjects`.

    Raises:
        DataError: there is no folder with masks.
    """
    folders = {subset_name(folder.name): folder for folder in listed_folders(root) if _pairs(folder)[1]}
    if not folders:
        raise DataError(
            f"{root}: no folder such as training/ with images a.jpg, masks a{_MASK_ENDING}.png and texts a{ending}"
        )
    # The labels are those of all subsets: the descriptions of all are read, once.
    described = functools.cache(partial(_described, folders, ending, describe))
    return {name: partial(_open, root, name, folders, described, by_instance) for name in folders}


def _pairs(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Images and masks below a folder, by their names without ending and suffix."""
    every, masks = index_images(folder), index_images(folder, _MASK_ENDING)
    return {key: name for key, name in every.items() if not _NO_IMAGE.search(key.rpartition("/")[2])}, masks


def _described(folders: Mapping[str, Path], ending: str, describe: Describe) -> _Described:
    return {
        name: {
            image: describe(folder / f"{key}{ending}")
            for key, image in sorted(_pairs(folder)[0].items())
            if (folder / f"{key}{ending}").is_file()
        }
        for name, folder in folders.items()
    }


def _open(
    root: Path, name: str, folders: Mapping[str, Path], described: Callable[[], _Described], by_instance: bool
) -> Subset:
    folder = folders[name]
    images, masks = _pairs(folder)
    found = described()[name]
    usable = {key: image for key, image in sorted(images.items()) if key in masks and image in found}
    unmatched = tuple(
        LeftOut("missing_files", "image without description", str(folder), image)
        if key in masks
        else LeftOut("unmatched_files", "image without mask", str(folder), image)
        for key, image in sorted(images.items())
        if key not in usable
    )
    if not usable:
        raise DataError(f"{folder}: no image has a mask and a description; {first_of(unmatched)}")
    labels = _labels(root, described())
    samples = tuple(Sample(image, masks[key], str(folder), str(folder)) for key, image in usable.items())
    return Subset(folder, labels, samples, unmatched, _coded_objects(labels.names, found, by_instance))


def _labels(root: Path, described: _Described) -> Labels:
    if (root / META_FILE).is_file():
        return read_dataset_meta(root / META_FILE)[0]
    every = {label for found in described.values() for labels in found.values() for label in labels.values()}
    names = tuple(sorted(every))
    check_labels(names, root)
    return Labels(names, default_colors(len(names)), background_index(names))


@dataclass(frozen=True)
class CodedObjects(MaskReader):
    """Reads colour masks whose codes mean something else in each image: they are looked up in a table of the image.

    Attributes:
        names: labels in index order.
        codes: by the name of a sample, JSON of the label index of each code in its mask.
        by_instance: whether the code is the number of an object, in blue, instead of that of a class, in red and green.
    """

    names: tuple[str, ...]
    codes: Mapping[str, str]
    by_instance: bool

    def read(self, sample: Sample) -> NDArray[np.uint8]:
        """uint8 (H, W): indices of `names`; 255 where no object is.

        Raises:
            MaskContentError: no colour mask, or a code that nothing describes.
            DataError: the file cannot be read.
        """
        stored = stored_mask(sample.mask).pixels
        if stored.ndim != 3:
            raise MaskContentError(f"{sample.mask}: a mask without colours; those of ADE20K are RGB")
        codes = self._codes(stored)
        table = np.full(MOST_CODES, IGNORE_INDEX, np.uint8)
        known = np.zeros(MOST_CODES, bool)
        known[0] = True
        for code, label in json.loads(self.codes[sample.name]):
            table[code], known[code] = label, True
        if not known[codes].all():
            wrong = codes[~known[codes]]
            what = "object" if self.by_instance else "class"
            raise MaskContentError(
                f"{sample.mask}: {what} {wrong[0]} ({int((wrong == wrong[0]).sum())} pixels) is not described in the "
                "file beside the image"
            )
        return table[codes]

    def _codes(self, stored: NDArray) -> NDArray[np.intp]:
        if not self.by_instance:
            return (stored[:, :, 2].astype(np.intp) // _CLASS_STEP << 8) + stored[:, :, 1]
        # Objects are numbered by the order of their shades of blue; 0 is none.
        return np.searchsorted(np.union1d([0], stored[:, :, 0]), stored[:, :, 0])

    def files_of(self, sample: Sample) -> tuple[str, ...]:
        """The sample's mask file."""
        return (sample.mask,)


def _coded_objects(names: tuple[str, ...], found: Mapping[str, Mapping[int, str]], by_instance: bool) -> CodedObjects:
    """As `CodedObjects`, from the label of each code by the name of a sample."""
    index_of = {name: index for index, name in enumerate(names)}
    codes = {
        sample: json.dumps([[code, index_of[label]] for code, label in labels.items()])
        for sample, labels in found.items()
    }
    return CodedObjects(names, codes, by_instance)
