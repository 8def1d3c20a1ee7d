"""Looking at every image and mask of a subset more closely than a training needs: sizes, labels, regions, content."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.datasets.copies import digest_of_pixels
from otx_seg.datasets.samples import Sample, Subset
from otx_seg.datasets.scan import Finding, ImageContent, ScanReport, examine, summarise
from otx_seg.errors import DataError
from otx_seg.runtime.images import read_bytes, read_image
from otx_seg.runtime.processors import processor_count

REGION_SAMPLES = 200
"""Images of a subset in which connected regions are measured, which takes longer than all else; evenly spread."""

_MAX_COMPARED_PIXELS = 50_000_000  # larger images are compared as files: decoded, they need 150 MB and more each


class Inspected(NamedTuple):
    """What one sample holds.

    Attributes:
        finding: what `examine` found.
        image_digest: of the decoded pixels, equal for images that look equal; of the file for huge ones. Empty where
            the sample cannot be used.
        mask_digest: of the labels.
        regions: areas of the connected regions of each label, in pixels of the input size, where they were measured.
    """

    finding: Finding
    image_digest: bytes = b""
    mask_digest: bytes = b""
    regions: tuple[tuple[int, ...], ...] = ()

    @property
    def sound(self) -> bool:
        """Whether image and mask can be used."""
        return self.finding.content is not None

    @property
    def content(self) -> ImageContent:
        """What a sound sample holds."""
        assert self.finding.content is not None
        return self.finding.content


@dataclass(frozen=True)
class Inspection:
    """A subset and what it holds.

    Attributes:
        name: what the subset is called, in this data set alone.
        kind: train, val, test, default or another name that several subsets may have.
        subset: the samples.
        samples: what each of them holds, in order.
        report: the figures of the sound ones.
    """

    name: str
    kind: str
    subset: Subset
    samples: tuple[Inspected, ...]
    report: ScanReport

    @property
    def typical_regions(self) -> tuple[int | None, ...]:
        """For each label the area, in pixels of the input size, of regions such that half of its pixels lie in these
        and smaller ones; None without any. The plain median would be that of the specks in the masks."""
        measured = [found.regions for found in self.samples if found.regions]
        areas = [[area for regions in measured for area in regions[label]] for label in range(len(self.subset.labels))]
        return tuple(_half_below(found) for found in areas)


def _half_below(areas: list[int]) -> int | None:
    """The smallest area such that the regions up to it make up at least half of the sum."""
    if not areas:
        return None
    ordered = np.sort(areas)
    total = np.cumsum(ordered)
    return int(ordered[np.searchsorted(total, total[-1] / 2)])


def inspect(
    name: str,
    kind: str,
    subset: Subset,
    input_size: tuple[int, int],
    progress: Callable[[int], None] | None = None,
    threads: int | None = None,
) -> Inspection:
    """Read every file of a subset to its end; what is wrong with one is recorded, not raised.

    Args:
        name, kind: see `Inspection`.
        subset: the samples.
        input_size: (height, width) in pixels that masks are squashed to before regions are measured.
        progress: called in the caller's thread with the number of samples done so far, after each one.
        threads: number of threads that decode; None for one per processor.
    """
    step = max(1, -(-len(subset) // REGION_SAMPLES))
    samples: list[Inspected] = []
    with ThreadPoolExecutor(threads or processor_count()) as pool:
        chosen = [input_size if number % step == 0 else None for number in range(len(subset))]
        for found in pool.map(partial(_inspect, subset), subset.samples, chosen):
            samples.append(found)
            if progress is not None:
                progress(len(samples))
    report = summarise(subset, [found.finding for found in samples])
    return Inspection(name, kind, subset, tuple(samples), report)


def _inspect(subset: Subset, sample: Sample, region_size: tuple[int, int] | None) -> Inspected:
    finding, mask = examine(subset, sample)
    if mask is None or finding.content is None:
        return Inspected(finding)
    try:
        image_digest = _image_digest(sample, finding.content.size)
    except DataError as error:  # PNG files whose checksums are right and whose pixels are not
        return Inspected(Finding(None, damage=str(error)))
    shown = finding.content.shown
    regions = region_areas(mask, shown, len(subset.labels), region_size) if region_size is not None else ()
    return Inspected(finding, image_digest, digest_of_pixels(mask), regions)


def _image_digest(sample: Sample, size: tuple[int, int]) -> bytes:
    if size[0] * size[1] > _MAX_COMPARED_PIXELS:
        return digest_of_pixels(np.frombuffer(read_bytes(sample.image), np.uint8))
    return digest_of_pixels(read_image(sample.image))


def region_areas(
    mask: NDArray[np.uint8], shown: Sequence[int], labels: int, size: tuple[int, int]
) -> tuple[tuple[int, ...], ...]:
    """The areas of the connected regions (8 neighbours) of each label once a mask is squashed to a size.

    Args:
        mask: uint8 (H, W), values 0..K-1 or 255.
        shown: the labels that occur in it.
        labels: K.
        size: (height, width) in pixels.

    Returns:
        for each label the areas in pixels, of labels that vanish none.
    """
    small = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST)
    areas: list[tuple[int, ...]] = [()] * labels
    for label in shown:
        of_label = cv2.compare(small, label, cv2.CMP_EQ)
        left, top, width, height = cv2.boundingRect(of_label)
        if width == 0:
            continue
        _, _, found, _ = cv2.connectedComponentsWithStats(of_label[top : top + height, left : left + width])
        areas[label] = tuple(found[1:, cv2.CC_STAT_AREA].tolist())
    return tuple(areas)
