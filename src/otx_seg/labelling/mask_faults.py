"""Which masks are wrong: they contradict networks that are confident, by more than is usual.

After Northcutt, Jiang & Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels": a network is
confident of a label if its probability is at least the mean probability of this label where the masks have it. So
labels that the network is bad at are not suspected everywhere.

1. A network that has not seen it judges each mask, see `Judges`; what it says is kept in a folder.
2. The mean probability of each label in the masks that have it gives the thresholds.
3. In each image, connected regions are found in which a confident network sees another label than the mask, and how
   far the mask as a whole lies beside what the network sees.
4. A region scores how many times as large it is as regions of the same two labels usually are, the root of the mean
   square over the other images that could have one; a move of the mask, how many times as much it helps as in the other
   images on average. A mask that is contradicted nearly everywhere is that of another image, and scores as its regions.
5. A mask scores as the worst that is found in it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.samples import Sample, Subset
from otx_seg.datasets.check.mask_faults import Contradiction, Kind, SuspectMask
from otx_seg.datasets.loading.loader import read_pair
from otx_seg.labelling.judgement import Judgement, KeptJudgements, judge
from otx_seg.labelling.judges import Judges
from otx_seg.labelling.offsets import Offset, best_offset
from otx_seg.labelling.regions import Region, confident, regions_of
from otx_seg.labels import IGNORE_INDEX, Labels
from otx_seg.runtime.plain_files import shown
from otx_seg.words import listed

LEAST_SCORE = 3.0
"""Of what is told."""
MOST_TOLD = 5
"""Contradictions of a mask."""
_HARDLY_KNOWN = 0.1
"""Mean probability of a label where masks have it, below which networks do not know it."""
_LEAST_REGION = 0.0005
"""What counts as the usual size of a region at least, as a share of the image: smaller ones are chance."""
_LEAST_GAIN = 0.0005
"""The same of the gain of a move, as a share of the pixels."""
_NEARLY_EVERYWHERE = 0.15
"""Share of a mask that is contradicted, ..."""
_SCATTERED = 0.5
"""... if no region has more than this share of it."""

Done = Callable[[int], None] | None


class GivenMask(NamedTuple):
    """A mask to judge.

    Attributes:
        name: what its subset is called.
        subset: its subset, numbered after the networks' labels.
        sample: its files.
        size: (height, width) of the image in pixels.
    """

    name: str
    subset: Subset
    sample: Sample
    size: tuple[int, int]


class _Found(NamedTuple):
    """What is found in a mask.

    Attributes:
        regions: those in which it is contradicted.
        offset: where it would fit best.
        contradicted: share of its pixels, 0..1.
        shown: bool (K,), the labels that it has.
        size: (height, width) in pixels at which it was judged.
    """

    regions: list[Region]
    offset: Offset
    contradicted: float
    shown: NDArray[np.bool_]
    size: tuple[int, int]


def judge_masks(
    masks: Sequence[GivenMask], judges: Judges, kept: KeptJudgements, done: Done = None
) -> NDArray[np.float64]:
    """Let the networks judge all masks: steps 1 and 2.

    Args:
        kept: takes what they say, by the index of the mask.
        done: called with the number of masks done so far.

    Returns:
        float64 (K,): the thresholds, infinite for labels that no mask has.

    Raises:
        DataError: an image or a mask can no longer be read.
        OtxError: `kept` cannot be written.
    """
    total, pixels = np.zeros(256), np.zeros(256)
    for number, mask in enumerate(masks):
        judgement = judge(judges.of(mask.sample.name), *read_pair(mask.subset, mask.sample))
        kept.keep(number, judgement)
        given = judgement.mask.reshape(-1)
        total += np.bincount(given, judgement.given.reshape(-1) / 255, minlength=256)
        pixels += np.bincount(given, minlength=256)
        if done is not None:
            done(number + 1)
    known = slice(0, len(judges.labels))
    return np.where(pixels[known] > 0, total[known] / np.maximum(pixels[known], 1), np.inf)


def hardly_known(labels: Labels, thresholds: NDArray[np.float64]) -> str:
    """What is to be said of labels that the networks have not learned; empty if there are none.

    Args:
        thresholds: see `judge_masks`.
    """
    names = [shown(name) for name, mean in zip(labels.names, thresholds, strict=True) if mean < _HARDLY_KNOWN]
    if not names:
        return ""
    return (
        f"the networks hardly know {listed(names, 5)}: what they say where masks have them means little; a longer "
        "training tells more"
    )


def suspect_masks(
    masks: Sequence[GivenMask], labels: Labels, thresholds: NDArray[np.float64], kept: KeptJudgements, done: Done = None
) -> tuple[SuspectMask, ...]:
    """The masks that contradict what is `kept` of them by more than is usual, the worst first: steps 3 to 5.

    Args:
        labels: the networks'.
        thresholds: see `judge_masks`.
        done: called with the number of masks looked at so far.
    """
    found = []
    for number in range(len(masks)):
        found.append(_look(kept.read(number), thresholds, labels))
        if done is not None:
            done(number + 1)
    scores = _Scores(found)
    told = [_told(number, masks[number], each, scores, labels) for number, each in enumerate(found)]
    order = sorted((number for number in range(len(masks)) if told[number]), key=lambda number: -told[number][0].score)
    return tuple(
        SuspectMask(
            rank, masks[number].name, masks[number].sample.name, masks[number].sample.image, number, told[number]
        )
        for rank, number in enumerate(order, start=1)
    )


def _look(judgement: Judgement, thresholds: NDArray[np.float64], labels: Labels) -> _Found:
    sure = confident(judgement, thresholds)
    counts = max(1, int(np.count_nonzero(judgement.mask != IGNORE_INDEX)))
    shown = np.bincount(judgement.mask.reshape(-1), minlength=256)[: len(labels)] > 0
    regions = regions_of(judgement, sure, labels.background)
    contradicted = int(np.count_nonzero(sure)) / counts
    return _Found(regions, best_offset(judgement), contradicted, shown, judgement.mask.shape)


class _Scores:
    """How large contradictions are compared with those in the other images: step 4."""

    def __init__(self, found: Sequence[_Found]) -> None:
        self._largest: dict[tuple[int, int, int], float] = {}
        for number, each in enumerate(found):
            for region in each.regions:
                place = number, region.in_mask, region.predicted
                share = region.weight / (each.size[0] * each.size[1])
                self._largest[place] = max(self._largest.get(place, 0.0), share)
        self._squares: dict[tuple[int, int], float] = defaultdict(float)
        for (_, in_mask, predicted), share in self._largest.items():
            self._squares[in_mask, predicted] += share**2
        self._showing = np.sum([each.shown for each in found], axis=0)
        self._gains = np.array([each.offset.gain for each in found])

    def of_region(self, number: int, region: Region, size: tuple[int, int]) -> float:
        """Of a region of an image: compared with the largest one of its labels in each image that has the mask's."""
        pair = region.in_mask, region.predicted
        others = self._squares[pair] - self._largest[number, region.in_mask, region.predicted] ** 2
        usual = math.sqrt(max(0.0, others) / max(1, self._showing[region.in_mask] - 1))
        return float(region.weight / (size[0] * size[1]) / max(usual, _LEAST_REGION))

    def of_offset(self, number: int) -> float:
        """Of the move of a mask."""
        usual = (self._gains.sum() - self._gains[number]) / max(1, len(self._gains) - 1)
        return float(self._gains[number] / max(usual, _LEAST_GAIN))


def _told(number: int, mask: GivenMask, found: _Found, scores: _Scores, labels: Labels) -> tuple[Contradiction, ...]:
    """What is told of a mask, the highest score first."""
    scale = mask.size[0] / found.size[0]
    scored = [(scores.of_region(number, region, found.size), region) for region in found.regions]
    scored.sort(key=lambda pair: -pair[0])
    told = [_of_region(score, region, labels, scale) for score, region in scored if score >= LEAST_SCORE]
    if told and _is_of_another_image(found):
        return (_of_whole_mask("mask of another image", told[0].score, mask, found, labels, scale),)
    moved = scores.of_offset(number)
    if moved >= LEAST_SCORE:
        told.append(_of_whole_mask("shifted mask", moved, mask, found, labels, scale))
    return tuple(sorted(told, key=lambda one: -one.score)[:MOST_TOLD])


def _is_of_another_image(found: _Found) -> bool:
    pixels = found.contradicted * found.size[0] * found.size[1]
    largest = max(region.pixels for region in found.regions)
    return found.contradicted >= _NEARLY_EVERYWHERE and largest < _SCATTERED * pixels


def _of_region(score: float, region: Region, labels: Labels, scale: float) -> Contradiction:
    x, y, width, height = (round(scale * side) for side in region.box)
    names = labels.names[region.in_mask], labels.names[region.predicted]
    return Contradiction(region.kind, *names, (x, y, width, height), round(scale**2 * region.pixels), score)


def _of_whole_mask(
    kind: Kind, score: float, mask: GivenMask, found: _Found, labels: Labels, scale: float
) -> Contradiction:
    """One of a mask as a whole, with the labels of its largest region."""
    largest = max(found.regions, key=lambda region: region.pixels, default=None)
    names = ("", "") if largest is None else (labels.names[largest.in_mask], labels.names[largest.predicted])
    pixels = round(found.contradicted * mask.size[0] * mask.size[1])
    # Where the mask lies, which is the opposite of the move that it needs.
    offset = (-round(scale * found.offset.right), -round(scale * found.offset.down))
    return Contradiction(
        kind, *names, (0, 0, *mask.size[::-1]), pixels, score, offset if kind == "shifted mask" else (0, 0)
    )
