"""Colour masks whose codes mean something else in each image, as in ADE20K."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.mask_faults import MaskContentError
from otx_seg.annotations.samples import MaskReader, Sample
from otx_seg.annotations.stored_masks import stored_mask
from otx_seg.labels import IGNORE_INDEX

MOST_CODES = 1 << 14
"""Codes of objects and classes are below this."""

_CLASS_STEP = 10  # red counts the hundreds of classes in steps of ten


@dataclass(frozen=True)
class CodedObjects(MaskReader):
    """Reads masks whose codes are looked up in a table of the image.

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


def coded_objects(names: tuple[str, ...], found: Mapping[str, Mapping[int, str]], by_instance: bool) -> CodedObjects:
    """As `CodedObjects`, from the label of each code by the name of a sample."""
    index_of = {name: index for index, name in enumerate(names)}
    codes = {
        sample: json.dumps([[code, index_of[label]] for code, label in labels.items()])
        for sample, labels in found.items()
    }
    return CodedObjects(names, codes, by_instance)
