"""Looking at every file of a subset once, before hours are spent on it."""

from __future__ import annotations

import functools
import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.bands import bands, count_values
from otx_seg.annotations.samples import MaskSizeError, Sample, Subset
from otx_seg.annotations.stored_masks import MaskContentError
from otx_seg.class_weights import LabelStatistics
from otx_seg.errors import DataError
from otx_seg.labels import IGNORE_INDEX
from otx_seg.runtime.images import verify_image
from otx_seg.runtime.processors import processor_count

VISIBLE_EXTENT = 4.0
"""Pixels across of a region that the usual network, which answers for every fourth pixel, can be expected to find."""

_LISTED = 5  # faults named in a message
_Item = TypeVar("_Item")
_Found = TypeVar("_Found")


Progress = Callable[[str, int, int], None]
"""Called with what is being done, and the numbers of images done and to do."""


class ImageContent(NamedTuple):
    """What one image and its mask hold.

    Attributes:
        pixels: number of pixels of each label, in index order, then of those that no label claims (255).
        size: (height, width) in pixels.
        extents: how far a region of each label reaches, see `mean_extents`; 0 where the label is not shown.
    """

    pixels: tuple[int, ...]
    size: tuple[int, int]
    extents: tuple[float, ...]

    @property
    def shown(self) -> tuple[int, ...]:
        """The labels that have pixels."""
        return tuple(label for label, count in enumerate(self.pixels[:-1]) if count)


@dataclass(frozen=True)
class ScanReport:
    """What a subset holds.

    Attributes:
        labels: number of labels.
        contents: of each valid sample, in order; all other figures are about these.
        broken: (name, reason) of each sample whose image or mask cannot be decoded.
        snapped: (name, pixels) of each sample whose mask has pixels with a value or colour between those of labels,
            which got the nearest one's.
    """

    labels: int
    contents: tuple[ImageContent, ...]
    broken: tuple[tuple[str, str], ...]
    snapped: tuple[tuple[str, int], ...] = ()

    @property
    def images(self) -> int:
        """Number of valid samples."""
        return len(self.contents)

    @functools.cached_property
    def pixels_per_label(self) -> tuple[int, ...]:
        """Number of pixels of each label, in index order."""
        return tuple(sum(content.pixels[label] for content in self.contents) for label in range(self.labels))

    @property
    def ignored_pixels(self) -> int:
        """Number of pixels that no label claims (255)."""
        return sum(content.pixels[-1] for content in self.contents)

    @property
    def sizes(self) -> tuple[tuple[tuple[int, int], int], ...]:
        """((height, width) in pixels, number of images), the most frequent size first."""
        return tuple(Counter(content.size for content in self.contents).most_common())

    @functools.cached_property
    def labels_of(self) -> tuple[tuple[int, ...], ...]:
        """For each valid sample, in order, the labels it shows."""
        return tuple(content.shown for content in self.contents)

    @property
    def share_per_label(self) -> tuple[float, ...]:
        """Share of each label among the pixels that have one, 0-1; all 0 when none has."""
        total = max(1, sum(self.pixels_per_label))
        return tuple(pixels / total for pixels in self.pixels_per_label)

    @property
    def images_per_label(self) -> tuple[int, ...]:
        """Number of valid samples that show each label."""
        return tuple(sum(content.pixels[label] > 0 for content in self.contents) for label in range(self.labels))

    @functools.cached_property
    def typical_extents(self) -> tuple[float | None, ...]:
        """How far a region of each label reaches: the median over the images that show it of `mean_extents`, as a share
        of the image's side, sqrt(height x width), 0..1; None for labels that no image shows."""
        found: list[list[float]] = [[] for _ in range(self.labels)]
        for content in self.contents:
            for label in content.shown:
                found[label].append(content.extents[label] / math.sqrt(content.size[0] * content.size[1]))
        return tuple(statistics.median(shares) if shares else None for shares in found)

    def extents_at(self, input_size: tuple[int, int]) -> tuple[float | None, ...]:
        """`typical_extents` in pixels of images that are squashed to (height, width) pixels."""
        side = math.sqrt(input_size[0] * input_size[1])
        return tuple(None if share is None else share * side for share in self.typical_extents)

    @property
    def label_statistics(self) -> LabelStatistics:
        """How much there is of each label, for class weights."""
        showing = [[content for content in self.contents if content.pixels[label]] for label in range(self.labels)]
        around = [sum(sum(content.pixels[:-1]) for content in contents) for contents in showing]
        return LabelStatistics(tuple(self.pixels_per_label), tuple(around), len(self.contents))

    def part(self, chosen: Sequence[bool]) -> ScanReport:
        """The report on some of the valid samples; broken ones are in none."""
        kept = tuple(content for content, keep in zip(self.contents, chosen, strict=True) if keep)
        return ScanReport(self.labels, kept, ())


class Finding(NamedTuple):
    """What one sample holds, or why that cannot be told.

    Attributes:
        content: what its files hold; None where there is a fault or damage.
        fault: the mask contradicts the data set: the user has to decide.
        damage: a file cannot be decoded: the sample can be left out.
        wrong_size: the fault is that the mask has another size than the image.
        snapped: how many pixels of the mask had a value between those of labels.
    """

    content: ImageContent | None
    fault: str | None = None
    damage: str | None = None
    wrong_size: bool = False
    snapped: int = 0


def scan(subset: Subset, progress: Callable[[int], None] | None = None, threads: int | None = None) -> ScanReport:
    """Read every file of a subset to its end, check it and count the pixels of each label.

    Files that cannot be decoded are listed in the report (see `readable_samples`); a mask that contradicts the data
    set is an error, because leaving it out would hide a mistake that touches the other masks too.

    Args:
        subset: the samples.
        progress: called in the caller's thread with the number of samples done so far, after each one.
        threads: number of threads that decode; None for one per processor.

    Raises:
        DataError: masks with values or colours that are no label, or of another size than their image.
    """
    findings = for_each(lambda sample: examine(subset, sample)[0], subset.samples, progress, threads)
    faults = [finding.fault for finding in findings if finding.fault]
    if faults:
        raise DataError(_summary(faults, subset))
    return summarise(subset, findings)


def counter(what: str, total: int, progress: Progress | None) -> Callable[[int], None] | None:
    """What tells `progress` that so many of `total` are done, and of what."""
    return None if progress is None else lambda done: progress(what, done, total)


def for_each(
    look: Callable[[_Item], _Found],
    items: Iterable[_Item],
    progress: Callable[[int], None] | None,
    threads: int | None,
) -> list[_Found]:
    """What `look` finds in each item, in order; see `scan` for the other arguments."""
    found: list[_Found] = []
    with ThreadPoolExecutor(threads or processor_count()) as pool:
        for of_item in pool.map(look, items):
            found.append(of_item)
            if progress is not None:
                progress(len(found))
    return found


def examine(subset: Subset, sample: Sample) -> tuple[Finding, NDArray[np.uint8] | None]:
    """Read both files of a sample to their ends.

    Returns:
        what was found, and the mask, uint8 (H, W) as of `Subset.read_mask`; None where there is a fault or damage.
    """
    try:
        size = verify_image(sample.image)
        subset.mask_code.verify(sample)
        subset.check_mask_size(sample, size)
        mask, snapped = subset.read_mask_counting(sample)
        subset.refuse_other_size(sample, size, mask.shape)
    except MaskSizeError as error:
        return Finding(None, fault=str(error), wrong_size=True), None
    except MaskContentError as error:
        return Finding(None, fault=str(error)), None
    except DataError as error:
        return Finding(None, damage=str(error)), None
    pixels = count_values(mask)
    counted = (*pixels[: len(subset.labels)].tolist(), int(pixels[IGNORE_INDEX]))
    content = ImageContent(counted, size, mean_extents(mask, len(subset.labels)))
    return Finding(content, snapped=snapped), mask


def mean_extents(mask: NDArray[np.uint8], labels: int) -> tuple[float, ...]:
    """How far the regions of each label reach, in pixels: the harmonic mean of the mean lengths of its runs along
    rows and along columns, which is the side of a square, 0.8 diameters of a disc and twice the width of a long line.

    Args:
        mask: uint8 (H, W).
        labels: how many; larger values count for nothing.

    Returns:
        one number per label, 0 where it has no pixel.
    """
    pixels = count_values(mask)[:labels]
    runs = np.bincount(np.concatenate((mask[0], mask[:, 0])), minlength=labels)[:labels]
    below = ((band[1:], band[:-1]) for band in bands(mask, overlap=1))
    beside = ((band[:, 1:], band[:, :-1]) for band in bands(mask))
    for after, before in (*below, *beside):
        runs = runs + np.bincount(after[after != before], minlength=labels)[:labels]
    return tuple((2 * pixels / np.maximum(runs, 1)).tolist())


def _summary(faults: list[str], subset: Subset) -> str:
    if len(faults) == 1:
        return faults[0]
    more = [f"and {len(faults) - _LISTED} more"] if len(faults) > _LISTED else []
    heading = f"{subset.root}: {len(faults)} of {len(subset)} masks cannot be used"
    return "\n  ".join([heading, *faults[:_LISTED], *more])


def summarise(subset: Subset, findings: Sequence[Finding]) -> ScanReport:
    """The report on a subset from what each of its samples holds, in order; those with a fault are not valid."""
    broken = [
        (sample.name, finding.damage)
        for sample, finding in zip(subset.samples, findings, strict=True)
        if finding.damage
    ]
    valid = tuple(finding.content for finding in findings if finding.content is not None)
    snapped = [
        (sample.name, finding.snapped)
        for sample, finding in zip(subset.samples, findings, strict=True)
        if finding.content is not None and finding.snapped
    ]
    return ScanReport(len(subset.labels), valid, tuple(broken), tuple(snapped))


def readable_samples(subset: Subset, report: ScanReport) -> Subset:
    """The subset without the samples that cannot be decoded.

    Raises:
        DataError: none is left.
    """
    if not report.images:
        raise DataError(f"{subset.root}: none of the {len(subset)} images can be used; first: {report.broken[0][1]}")
    return subset.without([name for name, _ in report.broken])


def require_two_labels(subset: Subset, report: ScanReport) -> None:
    """Refuse to train where there is nothing to tell apart.

    Raises:
        DataError: fewer than two labels occur in the masks.
    """
    present = [name for name, pixels in zip(subset.labels.names, report.pixels_per_label, strict=True) if pixels]
    if len(present) < 2:
        found = f"only the label {present[0]!r} occurs" if present else "every pixel is ignored"
        advice = "check that the masks hold numbers or colours of the data set's labels"
        if report.ignored_pixels:
            share = report.ignored_pixels / (report.ignored_pixels + sum(report.pixels_per_label))
            advice = (
                f"{100 * share:.1f} % of the pixels are 255 or white, which is ignored; if that is a label, say so by "
                "its colour behind its name in labels.txt (background 0 0 0, defect 255 255 255)"
            )
        raise DataError(
            f"{subset.root}: {found} in the masks of {report.images} images; there is nothing to learn: {advice}"
        )
