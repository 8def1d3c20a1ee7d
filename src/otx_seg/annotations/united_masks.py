"""Several mask files for one image, one for each object or part: united into one mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.masks import MaskCode, read_counting
from otx_seg.annotations.samples import MaskReader, Sample
from otx_seg.annotations.stored_masks import MaskContentError
from otx_seg.labels import IGNORE_INDEX
from otx_seg.runtime.images import verify_image

_Region = tuple[int, int, int, int, NDArray[np.bool_]]  # pixels, label, row, column, where


@dataclass(frozen=True)
class UnitedMasks(MaskReader):
    """Reads the masks of images that have any number of mask files, each with what it shows on the label around it.

    Where two files show something, the smaller region stays visible. An image without files shows nothing.

    Attributes:
        names: see `MaskReader`.
        code: what values and colours of the files mean, in the order of `names`, or where each file says which label
            it shows, the ground and anything else.
        files: by the name of a sample, its mask files, each with the index of the label that all it shows gets; None:
            as read. Samples without an entry have their own mask file alone.
        ground: index of the label around objects.
    """

    names: tuple[str, ...]
    code: MaskCode
    files: Mapping[str, tuple[tuple[str, int | None], ...]]
    ground: int = 0
    void: tuple[str, ...] = ()

    def read_counting(self, sample: Sample) -> tuple[NDArray[np.uint8], int]:
        """See `MaskReader`.

        Raises:
            MaskContentError: as `read_mask`, or files of different sizes.
            DataError: a file cannot be read.
        """
        files = self.files.get(sample.name)
        if files is None:
            return self.code.read_counting(sample)
        if not files:
            return np.full(verify_image(sample.image), self.ground, np.uint8), 0
        regions: list[_Region] = []
        shape, snapped = None, 0
        for path, label in files:
            mask, between = read_counting(path, self.code)
            if shape is not None and mask.shape != shape:
                raise MaskContentError(
                    f"{path}: has {mask.shape[1]} x {mask.shape[0]} pixels, another one of the same image {shape[1]} x "
                    f"{shape[0]}; {self.size_advice}"
                )
            shape, snapped = mask.shape, snapped + between
            regions += self._regions(mask, label)
        united = np.full(shape or (0, 0), self.ground, np.uint8)
        for _, label, row, column, where in sorted(regions, key=lambda region: -region[0]):
            united[row : row + where.shape[0], column : column + where.shape[1]][where] = label
        return united, snapped

    def _regions(self, mask: NDArray[np.uint8], label: int | None) -> list[_Region]:
        """What a mask shows of each label but the ground, cut out: there may be thousands of masks of an image."""
        found = []
        for value in np.unique(mask).tolist():
            if value == self.ground:
                continue
            where = mask == value
            column, row, width, height = cv2.boundingRect(where.astype(np.uint8))
            target = value if label is None or value == IGNORE_INDEX else label
            part = where[row : row + height, column : column + width].copy()
            found.append((int(np.count_nonzero(part)), target, row, column, part))
        return found

    def files_of(self, sample: Sample) -> tuple[str, ...]:
        """The mask files of a sample."""
        files = self.files.get(sample.name)
        return (sample.mask,) if files is None else tuple(path for path, _ in files)


def objects_on_ground(
    names: tuple[str, ...], files: Mapping[str, Sequence[tuple[str, int]]], source: str
) -> UnitedMasks:
    """Reads black and white masks, each of which shows objects of one label on the first of `names`.

    Args:
        files: by the name of every sample, its mask files with the index of the label of each.
        source: what names the labels, for messages.
    """
    code = MaskCode(("black", "white"), ((0, 0, 0), (255, 255, 255)), source=source)
    return UnitedMasks(names, code, {name: tuple(of_image) for name, of_image in files.items()})
