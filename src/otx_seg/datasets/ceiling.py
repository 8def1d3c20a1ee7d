"""About how good a network can get whose input has this size and whose output this stride: the Dice of the true masks
after they went through its grid. Where a label is thinner than a position, a network that answers a little too much can
do better.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.samples import Sample, Subset, spread
from otx_seg.datasets.scan import ScanReport, for_each
from otx_seg.labels import IGNORE_INDEX

_PER_LABEL, _OF_ALL = 8, 40  # images that are looked at

_MOST_PIXELS = 1 << 22  # of a mask; a larger one is shrunk before

Grid = tuple[int, int]
"""(rows, columns) of a network's output."""


def ceilings(
    subset: Subset, report: ScanReport, samples: Sequence[Sample], grids: Sequence[Grid]
) -> list[dict[str, float]]:
    """The Dice of a perfect network with each of these outputs: true masks averaged to the grid and enlarged again.

    Up to 8 images of each label, and 40 of all, spread over the subset, are looked at.

    Args:
        report: on the subset.
        samples: its valid ones, in the order of `report.contents`.

    Returns:
        For each grid, the Dice by name of the labels that the masks show.

    Raises:
        DataError: a mask cannot be read.
    """
    classes = len(subset.labels)

    def count(sample: Sample) -> NDArray[np.int64]:
        mask = _of_bounded_size(subset.read_mask(sample))
        return np.stack([_pixels(mask, perfect_mask(mask, grid), classes) for grid in grids])

    total = np.zeros((len(grids), 3, classes), np.int64)
    for of_image in for_each(count, _chosen(report, samples), None, None):
        total += of_image
    names = subset.labels.names
    return [
        {name: float(2 * i / (t + p)) for name, i, t, p in zip(names, *of_grid, strict=True) if t} for of_grid in total
    ]


def _pixels(mask: NDArray[np.uint8], answer: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """(3, classes): agreed, true and answered pixels of each label; those without a label do not count."""
    true, answered = mask[mask != IGNORE_INDEX], answer[mask != IGNORE_INDEX]
    return np.stack([np.bincount(one, minlength=classes) for one in (true[true == answered], true, answered)])


def perfect_mask(mask: NDArray[np.uint8], grid: Grid) -> NDArray[np.uint8]:
    """What a network answers whose output has in each cell the exact shares of the labels.

    Args:
        mask: (H, W), labels, and 255 for pixels that have none.
        grid: of the output, which is enlarged bilinearly to the mask's size before the largest share wins.

    Returns:
        (H, W).
    """
    height, width = mask.shape
    rows, columns = min(grid[0], height), min(grid[1], width)
    best = np.zeros(mask.shape, np.float32)
    answer = np.zeros(mask.shape, np.uint8)
    for label in np.unique(mask[mask != IGNORE_INDEX]):
        shares = cv2.resize((mask == label).astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
        enlarged = cv2.resize(shares, (width, height), interpolation=cv2.INTER_LINEAR)
        wins = enlarged > best
        best[wins], answer[wins] = enlarged[wins], label
    return answer


def _of_bounded_size(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = (_MOST_PIXELS / mask.size) ** 0.5
    if factor >= 1:
        return mask
    shrunk = cv2.resize(mask, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    return np.asarray(shrunk, np.uint8)


def _chosen(report: ScanReport, samples: Sequence[Sample]) -> list[Sample]:
    showing = [
        [index for index, shown in enumerate(report.labels_of) if label in shown] for label in range(report.labels)
    ]
    chosen = set(spread(range(report.images), _OF_ALL)).union(*(spread(found, _PER_LABEL) for found in showing))
    return [samples[index] for index in sorted(chosen)]
