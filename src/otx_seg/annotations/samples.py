"""One image with its mask, and a set of them with everything needed to read them."""

from __future__ import annotations

import functools
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.polygon_round_trip import polygon_round_trip
from otx_seg.annotations.stored_masks import MaskContentError, mask_size, verify_mask_file
from otx_seg.errors import DataError
from otx_seg.labels import IGNORE_INDEX, Labels, MaskValue, one_value_each
from otx_seg.runtime.image_headers import file_and_page
from otx_seg.runtime.images import read_image
from otx_seg.runtime.terminal import printable

_LONGEST_NAME = 200  # characters of a file's name in a message
_LOOKED_AT = 32  # masks, of which the first mostly tells what is to be found out

Thing = TypeVar("Thing")

Stamp = tuple[int, int] | None
"""A file's bytes and the time of its last change in nanoseconds; None where there is none."""


class MaskSizeError(MaskContentError):
    """A mask of another size than its image."""


@dataclass(frozen=True, slots=True)
class Sample:
    """An image file and the file its mask stands in.

    Only the names are kept for each sample; the two folders are shared, so that long paths cost nothing.

    Attributes:
        name: path of the image relative to the images folder, with suffix, parts separated by ``/``.
        mask_name: path of the mask, or of the file that describes its objects, relative to the masks folder.
        images_folder: the folder `name` is relative to.
        masks_folder: the folder `mask_name` is relative to.
    """

    name: str
    mask_name: str
    images_folder: str
    masks_folder: str

    @property
    def image(self) -> str:
        """Path of the image file."""
        return f"{self.images_folder}/{self.name}"

    @property
    def mask(self) -> str:
        """Path of the mask file."""
        return f"{self.masks_folder}/{self.mask_name}"


def spread(things: Sequence[Thing], limit: int) -> list[Thing]:
    """At most so many of them, evenly."""
    number = max(0, min(limit, len(things)))
    return [things[index * len(things) // number] for index in range(number)]


Kind = Literal["unmatched_files", "files_of_no_subset", "missing_files", "unread_files"]


class LeftOut(NamedTuple):
    """A file that was found or named and that no sample is made of.

    Attributes:
        kind: ``unmatched_files``: an image without mask or a mask without image; ``files_of_no_subset``: it lies beside
            the subsets; ``missing_files``: annotations name it in vain, or it lacks one;
            ``unread_files``: an image in a format that is not read.
        reason: what is wrong with it, without its name.
        folder: where it lies, or should lie.
        name: its path relative to that, or the line that names it.
    """

    kind: Kind
    reason: str
    folder: str
    name: str

    @property
    def path(self) -> str:
        """Where it lies, or should lie."""
        return os.path.normpath(f"{self.folder}/{self.name}")

    @property
    def printable(self) -> str:
        """Its name in a message."""
        return printable(self.name, _LONGEST_NAME)

    def __str__(self) -> str:
        return f"{self.reason}: {self.printable}"


class MaskReader:
    """What makes the masks of a data set: from files of values or colours, or from outlines of objects.

    It goes to loader processes, so it can be pickled. A subclass has `read` or, where values may lie between those of
    labels, `read_counting`.

    Attributes:
        names: what the values of `read` mean, in index order.
        void: those of `names` that are no labels; their pixels are ignored.
        size_advice: what to do about a mask of another size than its image.
    """

    names: tuple[str, ...]
    void: tuple[str, ...] = ()
    size_advice = "save the mask at the image's size"

    def read(self, sample: Sample) -> NDArray[np.uint8]:
        """uint8 (H, W): indices of `names`, 255 for ignored.

        Raises:
            MaskContentError: a value, colour or object that cannot be this data set's.
            DataError: a file cannot be read; the text names it.
        """
        return self.read_counting(sample)[0]

    def read_counting(self, sample: Sample) -> tuple[NDArray[np.uint8], int]:
        """As `read`, and how many pixels had a value between those of labels and got the label of the nearest one."""
        return self.read(sample), 0

    def files_of(self, sample: Sample) -> tuple[str, ...]:
        """The mask files of a sample, which are read anew each time: one, none or several."""
        return ()

    def stored_values(self, sample: Sample) -> tuple[MaskValue | None, ...]:
        """What the pixels of each of `names` hold in the sample's mask file; nothing where that is not one file, or
        shows too little.

        Raises:
            DataError: the file cannot be read.
        """
        return ()

    def meanings(self) -> Mapping[MaskValue, str | None]:
        """The label of every value that a mask file may hold, None for those that are ignored; nothing where masks are
        made otherwise."""
        return {}

    def verify(self, sample: Sample) -> None:
        """Look for damage that `read` passes over. Raises DataError naming the file."""
        for path in self.files_of(sample):
            verify_mask_file(path)


@dataclass(frozen=True)
class Subset:
    """Images with masks that are used together: the training images, say. Nothing is decoded until it is read.

    Attributes:
        root: the folder that holds ``images/`` and ``masks/``.
        labels: what the values of `read_mask` mean: the labels of the data set in its order, or others among which
            they are, see `with_labels`.
        samples: sorted by name.
        unmatched: what was found or named and is not among `samples`.
        mask_code: how masks are made: what values and colours in mask files mean, or the outlines of objects.
        use_polygons: whether masks go through polygons and back, as the original toolkit did.
        ignored_labels: for samples whose annotation of some labels does not count, by name: these labels.
        stamps: what tells whether the files of a sample are those it was opened with, by name; see `stamped`.
    """

    root: Path
    labels: Labels
    samples: tuple[Sample, ...]
    unmatched: tuple[LeftOut, ...]
    mask_code: MaskReader
    use_polygons: bool = False
    ignored_labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stamps: Mapping[str, tuple[Stamp, ...]] = field(default_factory=dict, compare=False)

    def __len__(self) -> int:
        return len(self.samples)

    def read_image(self, sample: Sample) -> NDArray[np.uint8]:
        """The image of a sample, uint8 (H, W, 3) RGB. Raises DataError naming the file."""
        return read_image(sample.image)

    def check_mask_size(self, sample: Sample, size: tuple[int, int]) -> None:
        """Compare the size of an image, (height, width), with what the header of its mask file says.

        Nothing is decoded: the mask of a small image may claim any size.

        Raises:
            MaskSizeError: they differ.
            DataError: the mask file cannot be read.
        """
        for path in self.mask_code.files_of(sample):
            self.refuse_other_size(sample, size, mask_size(path), path)

    def check_pair(self, sample: Sample, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
        """Make sure that an image and a mask that were read belong together.

        Raises:
            MaskSizeError: they differ in size.
            DataError: one of the files is no longer the one it was when the subset was `stamped`.
        """
        for path, then in zip(self._files(sample), self.stamps.get(sample.name, ()), strict=False):
            if _stamp(path) != then:
                raise DataError(
                    f"{path}: was replaced, changed or removed while it was in use, so that image and mask may no "
                    "longer belong together; do not change the data during a training, restore the file and resume"
                )
        self.refuse_other_size(sample, (image.shape[0], image.shape[1]), mask.shape)

    def refuse_other_size(self, sample: Sample, image: tuple[int, int], mask: tuple[int, ...], file: str = "") -> None:
        """Compare sizes, (height, width), of an image and its mask, or one `file` of it. Raises MaskSizeError."""
        if mask != image:
            turned = "; rotation by EXIF counts for the image, not for the mask" if mask == image[::-1] else ""
            raise MaskSizeError(
                f"{file or sample.mask}: the mask has {mask[1]} x {mask[0]} pixels, its image {sample.name} has "
                f"{image[1]} x {image[0]}; {self.mask_code.size_advice}{turned}"
            )

    def _files(self, sample: Sample) -> tuple[str, ...]:
        """The files that are read for a sample each time."""
        return (sample.image, *self.mask_code.files_of(sample))

    def stamped(self) -> Subset:
        """The subset with the state its files are in now: `check_pair` refuses those that are replaced later."""
        return replace(self, stamps={sample.name: tuple(map(_stamp, self._files(sample))) for sample in self.samples})

    def read_mask(self, sample: Sample) -> NDArray[np.uint8]:
        """The label of every pixel, uint8 (H, W), 255 for ignored. Raises DataError naming the file."""
        return self.read_mask_counting(sample)[0]

    def read_mask_counting(self, sample: Sample) -> tuple[NDArray[np.uint8], int]:
        """As `read_mask`, and how many of its pixels had a value between those of labels and got the nearest one's."""
        mask, snapped = self.mask_code.read_counting(sample)
        if self.labels.names != self.mask_code.names:
            mask = self._renumbering[mask]
        if self.use_polygons:
            mask = polygon_round_trip(mask, self.labels)
        ignored = [self.labels.names.index(label) for label in self.ignored_labels.get(sample.name, ())]
        # Not in place: some decoders hand out arrays that cannot be written to.
        return np.where(np.isin(mask, ignored), np.uint8(IGNORE_INDEX), mask) if ignored else mask, snapped

    @functools.cached_property
    def _renumbering(self) -> NDArray[np.uint8]:
        """uint8 (256,): from the numbers in the files to those of `labels`."""
        table = np.full(256, IGNORE_INDEX, np.uint8)
        for index, name in enumerate(self.mask_code.names):
            if name not in self.mask_code.void:
                table[index] = self.labels.names.index(name)
        return table

    def without(self, names: Collection[str]) -> Subset:
        """The subset without the samples of these names."""
        left_out = set(names)
        return replace(self, samples=tuple(sample for sample in self.samples if sample.name not in left_out))

    def stored_values(self, sample: Sample) -> tuple[MaskValue | None, ...]:
        """What the pixels of each label hold in the sample's mask file; nothing where the file does not tell.

        Raises:
            DataError: it cannot be read.
        """
        by_name = dict(zip(self.mask_code.names, self.mask_code.stored_values(sample), strict=False))
        return tuple(by_name.get(name) for name in self.labels.names) if by_name else ()

    def with_mask_values(self) -> Subset:
        """The subset whose labels tell what their pixels hold in its mask files, as far as some of these show it."""
        for sample in spread(self.samples, _LOOKED_AT):
            try:
                values = self.stored_values(sample)
            except DataError:  # is told when all files are read
                continue
            if values:
                return replace(self, labels=replace(self.labels, mask_values=one_value_each(values)))
        return self

    def with_labels(self, labels: Labels) -> Subset:
        """The subset with its masks numbered after other labels, among which are all of its own."""
        return replace(self, labels=labels)

    def through_polygons(self) -> Subset:
        """The subset whose masks go through `polygon_round_trip`."""
        return replace(self, use_polygons=True)


def _stamp(path: str) -> Stamp:
    try:
        found = Path(file_and_page(path)[0]).stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
