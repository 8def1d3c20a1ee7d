"""Several subsets as one: training images from several folders, each with masks of its own kind."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.samples import MaskReader, Sample, Subset
from otx_seg.datasets.chosen_subset import TRAINED_ON, open_chosen
from otx_seg.datasets.data_spec import FIRST, Addition
from otx_seg.datasets.opening import find_subsets
from otx_seg.errors import DataError
from otx_seg.labels import Labels, MaskValue, extended

logger = logging.getLogger(__name__)


def open_addition(addition: Addition, use_polygons: bool = False) -> Subset:
    """The labelled images of an addition: its subset train, else those directly in it, else its only subset.

    Raises:
        UsageError: see `open_folder`.
        DataError: unusable data (see `open_folder`), or several subsets none of which is meant for training.
    """
    return open_with_rest(addition, use_polygons)[0]


def open_with_rest(addition: Addition, use_polygons: bool = False) -> tuple[Subset, list[str]]:
    """As `open_addition`; and the names of the subsets of it that are not used.

    Raises:
        UsageError, DataError: see `open_addition`.
    """
    root = addition.root
    subsets = find_subsets(root, addition.data_format, addition.annotations, addition.label_map)
    used, subset = open_chosen(root, subsets, TRAINED_ON, "train on", use_polygons)
    return subset, [name for name in subsets if name != used]


def training_parts(first: Subset, added: Sequence[Addition], use_polygons: bool = False) -> dict[str, Subset]:
    """The training images by where they come from, `FIRST` or the name of an addition, without those left out.

    Args:
        first: those that the others were added to.
        added: the additions, the earliest first.

    Raises:
        UsageError, DataError: see `open_addition`.
    """
    parts = {FIRST: first, **{one.name: open_addition(one, use_polygons) for one in added}}
    for one in added:
        for name, left_out in one.left_out.items():
            if name in parts:  # the images of an addition that was taken back left with it
                parts[name] = parts[name].without(left_out)
    return parts


def with_additions(first: Subset, added: Sequence[Addition], use_polygons: bool = False) -> Subset:
    """All training images in one subset.

    Raises:
        UsageError, DataError: see `open_addition` and `join`.
    """
    parts = training_parts(first, added, use_polygons)
    numbers = ", ".join(f"{len(part)} of {name}" for name, part in parts.items())
    logger.info("training images: %s", numbers)
    return join(list(parts.values()))


def union(parts: Sequence[Subset]) -> Labels:
    """The labels of the first part, then those of the others that it lacks.

    Raises:
        DataError: two parts call their backgrounds differently.
    """
    labels = parts[0].labels
    for part in parts[1:]:
        try:
            labels = extended(labels, part.labels)
        except ValueError as error:
            raise DataError(f"{part.root}: {error}; give both the same name with a label map") from error
    return labels


def join(parts: Sequence[Subset]) -> Subset:
    """The samples of all parts, with the `union` of their labels.

    Samples of the first part keep their names. Those of the others get names that begin with the folder of their part,
    so that no two are called alike.

    Raises:
        DataError: two parts call their backgrounds differently, or lie in the same folder.
    """
    labels = union(parts)
    own = [dict(zip(names, part.samples, strict=True)) for names, part in zip(_unique(parts), parts, strict=True)]
    part_of = {name: (number, sample) for number, samples in enumerate(own) for name, sample in samples.items()}
    renamed = [_called(name, sample) for name, (_, sample) in sorted(part_of.items())]
    readers = tuple(replace(part, samples=(), unmatched=()).with_labels(labels) for part in parts)
    return Subset(
        root=parts[0].root,
        labels=labels,
        samples=tuple(renamed),
        unmatched=tuple(left for part in parts for left in part.unmatched),
        mask_code=JoinedMasks(labels.names, readers, part_of),
    )


def _unique(parts: Sequence[Subset]) -> list[list[str]]:
    """The new names of the samples of each part: with as many folders as it takes."""
    folders = [Path(sample.images_folder).absolute() for part in parts for sample in part.samples[:1]]
    deepest = max((len(folder.parts) for folder in folders), default=2)
    for above in range(1, deepest):
        names = [
            [sample.name if part is parts[0] else _with_folders(sample, part.root, above) for sample in part.samples]
            for part in parts
        ]
        if len({name for one in names for name in one}) == sum(map(len, parts)):
            return names
    raise DataError(f"{parts[-1].root}: has images that other training data has too; name each folder once")


def _with_folders(sample: Sample, root: Path, above: int) -> str:
    """The path of an image from the folder of its part on, with that and so many minus one above it."""
    folder = Path(sample.images_folder).absolute()
    inside = len(folder.parts) - len(root.absolute().parts) if folder.is_relative_to(root.absolute()) else 0
    kept = folder.parts[max(1, len(folder.parts) - inside - above) :]
    return "/".join((*kept, sample.name))


def _called(name: str, sample: Sample) -> Sample:
    """The sample under a longer name, which is the end of its path; or as it is."""
    if name == sample.name:
        return sample
    folder = Path(sample.images_folder).absolute()
    added = name.count("/") - sample.name.count("/")
    return replace(sample, name=name, images_folder=str(Path(*folder.parts[: len(folder.parts) - added])))


@dataclass(frozen=True)
class JoinedMasks(MaskReader):
    """Reads the mask of each sample as its part does.

    Attributes:
        names: the labels of all parts.
        parts: the parts without their samples, numbered after `names`.
        part_of: for the name of each sample the number of its part, and the sample as its part knows it.
    """

    names: tuple[str, ...]
    parts: tuple[Subset, ...]
    part_of: Mapping[str, tuple[int, Sample]]

    @property
    def size_advice(self) -> str:  # type: ignore[override]
        """See `MaskReader`."""
        return self.parts[0].mask_code.size_advice

    def _own(self, sample: Sample) -> tuple[Subset, Sample]:
        number, own = self.part_of[sample.name]
        return self.parts[number], own

    def read_counting(self, sample: Sample) -> tuple[NDArray[np.uint8], int]:
        """See `MaskReader`."""
        part, own = self._own(sample)
        return part.read_mask_counting(own)

    def stored_values(self, sample: Sample) -> tuple[MaskValue | None, ...]:
        """See `MaskReader`."""
        part, own = self._own(sample)
        return part.stored_values(own)

    def files_of(self, sample: Sample) -> tuple[str, ...]:
        """See `MaskReader`."""
        part, own = self._own(sample)
        return part.mask_code.files_of(own)

    def verify(self, sample: Sample) -> None:
        """See `MaskReader`."""
        part, own = self._own(sample)
        part.mask_code.verify(own)
