"""Masks that contradict a network, as a page: each with its image, the prediction, and where they differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.datasets.check.mask_faults import WHOLE_MASK, Contradiction, MaskFaults, SuspectMask
from otx_seg.errors import DataError
from otx_seg.inference.pictures import Picture
from otx_seg.labelling.judgement import Judgement, KeptJudgements
from otx_seg.labels import IGNORE_INDEX, Labels
from otx_seg.report.contact_sheet import legend
from otx_seg.report.page import embedded, page, prose
from otx_seg.runtime.images import read_image
from otx_seg.words import count

SHOWN_MASKS = 50
"""Of the page; the table has all."""
_PICTURES = ("image", "mask", "prediction", "difference")
_OUTLINE, _OUTLINE_WIDTH = (0, 0, 0), 2
_PALE = 0.75  # share of white in what differs and is not told
_BADGES = {"shifted border": "note", "shifted mask": "error", "mask of another image": "error"}


def draw_mask_faults(found: MaskFaults, labels: Labels, kept: KeptJudgements, subsets: int) -> str:
    """HTML, complete in itself.

    Args:
        labels: of the networks.
        kept: what they say of the masks.
        subsets: how many the masks are of; the name of a single one is not shown.
    """
    return page("Masks to look at again", _parts(found, labels, kept, subsets))


def _parts(found: MaskFaults, labels: Labels, kept: KeptJudgements, subsets: int) -> Iterator[str]:
    yield "<h1>Masks to look at again</h1>"
    yield f'<div class="faint small">{escape(found.judged_by)}</div>'
    mood = "warning" if found.masks else "fine"
    yield f'<div class="verdict {mood}">{prose(found.verdict)}.</div>'
    if found.caution:
        yield f'<p class="problem"><span class="badge warning">warning</span> {prose(found.caution)}.</p>'
    if not found.masks:
        return
    yield _explained(found)
    for mask in found.masks[:SHOWN_MASKS]:
        yield _shown(mask, labels, kept.read(mask.number), with_subset=subsets > 1)


def _explained(found: MaskFaults) -> str:
    more = len(found.masks) - SHOWN_MASKS
    rest = f" The first {SHOWN_MASKS} are shown here, {more:,} more are in the table." if more > 0 else ""
    return (
        '<p class="faint small">In the difference, what is listed is orange with a black outline, a black frame means '
        "the whole mask. Other pixels that differ are pale, as many do in every image; pixels without a label are "
        "white. The score says how many times as large something is as it usually is for its labels in this data."
        f"{rest}</p>"
    )


def _shown(mask: SuspectMask, labels: Labels, judgement: Judgement, with_subset: bool) -> str:
    subset = f' <span class="faint">{escape(mask.subset)}</span>' if with_subset else ""
    title = f"<b>{mask.rank}. {escape(mask.file)}</b>{subset}"
    told = "".join(f"<li>{_in_words(one)}</li>" for one in mask.contradictions)
    try:
        pictures = _pictures(mask, labels, judgement)
    except DataError as error:  # it could be read a moment ago
        return f'<div class="shown">{title}<p>{escape(str(error))}</p></div>'
    tiles = "".join(
        f'<figure><figcaption>{name}</figcaption><img src="{embedded(picture)}" alt="{escape(mask.file)}: {name}" '
        'loading="lazy"></figure>'
        for name, picture in zip(_PICTURES, pictures, strict=True)
    )
    seen = [int(label) for label in np.union1d(judgement.mask, judgement.predicted) if label != IGNORE_INDEX]
    return (
        f'<div class="shown">{title}<ul>{told}</ul><div class="tiles">{tiles}</div>'
        f'<div class="small">{legend(labels, seen, with_background=True)}</div></div>'
    )


def _in_words(one: Contradiction) -> str:
    x, y, width, height = one.box
    where = "" if one.kind in WHOLE_MASK else f" at x {x}, y {y}, {width} x {height}"
    badge = f'<span class="badge {_BADGES.get(one.kind, "warning")}">{one.kind}</span>'
    size = f"{count(one.pixels, 'pixel')}{where}, score {one.score:.1f}"
    return f'{badge} {escape(one.in_words)}; <span class="faint">{size}</span>'


def _pictures(mask: SuspectMask, labels: Labels, judgement: Judgement) -> Sequence[NDArray[np.uint8]]:
    height, width = judgement.mask.shape
    original = read_image(mask.image)
    scale = width / original.shape[1]
    image = np.asarray(cv2.resize(original, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    picture = Picture(mask.file, labels, image, judgement.mask, judgement.predicted)
    return (*picture.drawn(), draw_difference(picture, mask.contradictions, judgement, scale))


def draw_difference(
    picture: Picture, told: Sequence[Contradiction], judgement: Judgement, scale: float
) -> NDArray[np.uint8]:
    """What is told in strong colours, all else that differs pale."""
    strong = picture.errors()
    if any(one.kind not in WHOLE_MASK for one in told):
        borders = [border for one in told for border in _border(one, picture.labels, judgement, scale)]
        inside = cv2.drawContours(np.zeros_like(judgement.mask), borders, -1, 1, cv2.FILLED)
        pale = cv2.addWeighted(strong, 1 - _PALE, np.full_like(strong, 255), _PALE, 0)
        strong = np.asarray(np.where(inside[..., None] > 0, strong, pale), np.uint8)
        cv2.drawContours(strong, borders, -1, _OUTLINE, _OUTLINE_WIDTH)
    if any(one.kind in WHOLE_MASK for one in told):
        height, width = judgement.mask.shape
        cv2.rectangle(strong, (0, 0), (width - 1, height - 1), _OUTLINE, 2 * _OUTLINE_WIDTH)
    return strong


def _border(one: Contradiction, labels: Labels, judgement: Judgement, scale: float) -> list[NDArray[np.int32]]:
    """That of a region as a contour of OpenCV; none of a mask as a whole."""
    if one.kind in WHOLE_MASK:
        return []
    x, y, width, height = (round(scale * side) for side in one.box)
    place = (slice(y, y + height), slice(x, x + width))
    inside = (judgement.mask[place] == labels.names.index(one.in_mask)) & (
        judgement.predicted[place] == labels.names.index(one.predicted)
    )
    borders, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(x, y))
    largest = max(borders, key=cv2.contourArea, default=None)
    return [] if largest is None else [np.asarray(largest, np.int32)]
