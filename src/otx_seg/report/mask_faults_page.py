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
from otx_seg.report.page import embedded, page
from otx_seg.runtime.images import read_image
from otx_seg.words import count

SHOWN_MASKS = 50
"""Of the page; the table has all."""
_PICTURES = ("image", "mask", "prediction", "difference")
_OUTLINE, _OUTLINE_WIDTH = (0, 0, 0), 2
_BADGES = {"shifted border": "note", "shifted mask": "error", "mask of another image": "error"}


def draw_mask_faults(found: MaskFaults, labels: Labels, kept: KeptJudgements) -> str:
    """HTML, complete in itself.

    Args:
        labels: of the networks.
        kept: what they say of the masks.
    """
    return page("Masks to look at again", _parts(found, labels, kept))


def _parts(found: MaskFaults, labels: Labels, kept: KeptJudgements) -> Iterator[str]:
    yield "<h1>Masks to look at again</h1>"
    yield f'<div class="faint small">{escape(found.judged_by)}</div>'
    mood = "warning" if found.masks else "fine"
    yield f'<div class="verdict {mood}">{escape(found.verdict)}.</div>'
    if found.caution:
        yield f'<p class="problem"><span class="badge warning">warning</span> {escape(found.caution)}.</p>'
    if not found.masks:
        return
    yield _explained(found)
    for mask in found.masks[:SHOWN_MASKS]:
        yield _shown(mask, labels, kept.read(mask.number))


def _explained(found: MaskFaults) -> str:
    more = len(found.masks) - SHOWN_MASKS
    rest = f" The first {SHOWN_MASKS} are shown here, {more:,} more are in the table." if more > 0 else ""
    return (
        '<p class="faint small">Image, mask, prediction, and difference: pixels that differ are orange, pixels without '
        "a label white, and what seems to be wrong is outlined. The score tells how many times as large something "
        f"is as it usually is for its labels in this data.{rest}</p>"
    )


def _shown(mask: SuspectMask, labels: Labels, judgement: Judgement) -> str:
    title = f'<b>{mask.rank}. {escape(mask.file)}</b> <span class="faint">{escape(mask.subset)}</span>'
    told = "".join(f"<li>{_in_words(one)}</li>" for one in mask.contradictions)
    try:
        pictures = _pictures(mask, labels, judgement)
    except DataError as error:  # it could be read a moment ago
        return f'<div class="shown">{title}<p>{escape(str(error))}</p></div>'
    tiles = "".join(
        f'<img src="{embedded(picture)}" alt="{escape(mask.file)}: {name}" loading="lazy">'
        for name, picture in zip(_PICTURES, pictures, strict=True)
    )
    seen = [int(label) for label in np.union1d(judgement.mask, judgement.predicted) if label != IGNORE_INDEX]
    return (
        f'<div class="shown">{title}<ul>{told}</ul><div class="tiles">{tiles}</div>'
        f'<div class="small">{legend(labels, seen)}</div></div>'
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
    difference = picture.errors()
    for one in mask.contradictions:
        _outline(difference, one, labels, judgement, scale)
    return (*picture.drawn(), difference)


def _outline(
    picture: NDArray[np.uint8], one: Contradiction, labels: Labels, judgement: Judgement, scale: float
) -> None:
    """Draw the border of a region, or a frame about all of the mask, into a picture."""
    if one.kind in WHOLE_MASK:
        height, width = judgement.mask.shape
        cv2.rectangle(picture, (0, 0), (width - 1, height - 1), _OUTLINE, 2 * _OUTLINE_WIDTH)
        return
    x, y, width, height = (round(scale * side) for side in one.box)
    place = (slice(y, y + height), slice(x, x + width))
    inside = (judgement.mask[place] == labels.names.index(one.in_mask)) & (
        judgement.predicted[place] == labels.names.index(one.predicted)
    )
    borders, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(x, y))
    largest = max(borders, key=cv2.contourArea, default=None)
    if largest is not None:
        cv2.drawContours(picture, [largest], -1, _OUTLINE, _OUTLINE_WIDTH)
