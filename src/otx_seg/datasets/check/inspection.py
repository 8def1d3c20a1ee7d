"""Looking at every image and mask of a subset more closely than a training needs: what is wrong, and what is equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from otx_seg.annotations.samples import Sample, Subset
from otx_seg.datasets.check.copies import digest_of_pixels
from otx_seg.datasets.scan import Finding, ImageContent, ScanReport, examine, for_each, summarise
from otx_seg.errors import DataError
from otx_seg.runtime.image_headers import file_and_page
from otx_seg.runtime.images import grey_bits, read_bytes, read_image

_MAX_COMPARED_PIXELS = 50_000_000  # larger images are compared as files: decoded, they take 150 MB and more each


class Inspected(NamedTuple):
    """What one sample holds.

    Attributes:
        finding: what `examine` found.
        image_digest: of the decoded pixels, equal for images that look equal; of the file for huge ones. Empty where
            the sample cannot be used.
        mask_digest: of the labels.
        grey_bits: of the image, see `otx_seg.runtime.images.grey_bits`.
    """

    finding: Finding
    image_digest: bytes = b""
    mask_digest: bytes = b""
    grey_bits: int | None = None

    @property
    def valid(self) -> bool:
        """Whether image and mask can be used."""
        return self.finding.content is not None

    @property
    def content(self) -> ImageContent:
        """What a valid sample holds."""
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
        report: the figures of the valid ones.
    """

    name: str
    kind: str
    subset: Subset
    samples: tuple[Inspected, ...]
    report: ScanReport


def inspect(
    name: str,
    kind: str,
    subset: Subset,
    progress: Callable[[int], None] | None = None,
    threads: int | None = None,
) -> Inspection:
    """Read every file of a subset to its end; what is wrong with one is recorded, not raised.

    Args:
        name, kind: see `Inspection`.
        subset: the samples.
        progress: called in the caller's thread with the number of samples done so far, after each one.
        threads: number of threads that decode; None for one per processor.
    """
    samples = for_each(partial(_inspect, subset), subset.samples, progress, threads)
    report = summarise(subset, [found.finding for found in samples])
    return Inspection(name, kind, subset, tuple(samples), report)


def _inspect(subset: Subset, sample: Sample) -> Inspected:
    finding, mask = examine(subset, sample)
    if mask is None or finding.content is None:
        return Inspected(finding)
    try:
        image_digest = _image_digest(sample, finding.content.size)
        bits = None if _is_huge(finding.content.size) else grey_bits(sample.image)
    except DataError as error:  # PNG files whose checksums are right and whose pixels are not
        return Inspected(Finding(None, damage=str(error)))
    return Inspected(finding, image_digest, digest_of_pixels(mask), bits)


def _is_huge(size: tuple[int, int]) -> bool:
    return size[0] * size[1] > _MAX_COMPARED_PIXELS


def _image_digest(sample: Sample, size: tuple[int, int]) -> bytes:
    if _is_huge(size) and file_and_page(sample.image)[1] is None:
        return digest_of_pixels(np.frombuffer(read_bytes(sample.image), np.uint8))
    return digest_of_pixels(read_image(sample.image))
