"""A few images of a data set with their masks drawn over them, chosen so that every label can be seen."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from otx_seg.annotations.samples import spread
from otx_seg.datasets.check.findings import Copy
from otx_seg.datasets.check.inspection import Inspection
from otx_seg.errors import DataError
from otx_seg.labels import Labels
from otx_seg.report.page import chip, embedded
from otx_seg.runtime.images import read_image
from otx_seg.runtime.overlay import overlay
from otx_seg.runtime.result_files import shrunk

SHOWN_IMAGES = 48
"""Images of a contact sheet."""
_OF_EACH_LABEL = 3
_LONGEST_SIDE = 360  # pixels of a small picture
_GROUPS, _IN_A_GROUP = 12, 4  # of equal images


def choose_images(inspections: Sequence[Inspection], limit: int = SHOWN_IMAGES) -> list[Copy]:
    """Images that show every label of every subset, rare labels first and where they are largest; then others, evenly.

    Returns:
        at most `limit` valid samples, in the order of the data set.
    """
    valid = [
        Copy(inspection, sample, found)
        for inspection in inspections
        for sample, found in zip(inspection.subset.samples, inspection.samples, strict=True)
        if found.valid
    ]
    chosen: dict[int, None] = {}
    for showing in _by_label(valid):
        already = sum(index in chosen for index in showing)
        for index in [index for index in showing if index not in chosen][: max(0, _OF_EACH_LABEL - already)]:
            if len(chosen) < limit:
                chosen[index] = None
    others = [index for index in range(len(valid)) if index not in chosen]
    free = limit - len(chosen)
    chosen.update(dict.fromkeys(spread(others, free)))
    return [valid[index] for index in sorted(chosen)]


def _by_label(valid: Sequence[Copy]) -> list[list[int]]:
    """For each label of each subset the images that show it, most pixels first; labels in few images first."""
    showing: dict[tuple[str, int], list[int]] = {}
    for index, copy in enumerate(valid):
        for label in copy.found.content.shown:
            showing.setdefault((copy.inspection.name, label), []).append(index)
    for (_, label), indices in showing.items():
        indices.sort(key=lambda index: -_share(valid[index], label))
    return sorted(showing.values(), key=len)


def _share(copy: Copy, label: int) -> float:
    height, width = copy.found.content.size
    return copy.found.content.pixels[label] / (height * width)


def sheet(images: Sequence[Copy]) -> str:
    """HTML of images side by side, each with its mask and its labels."""
    return '<div class="sheet">\n' + "\n".join(map(_figure, images)) + "\n</div>"


def bare_sheet(name: str, paths: Sequence[str]) -> str:
    """HTML of some of the images without masks of a subset, evenly spread."""
    return (
        '<div class="sheet">\n'
        + "\n".join(_bare_figure(name, path) for path in spread(paths, SHOWN_IMAGES))
        + "\n</div>"
    )


def groups(equal: Sequence[Sequence[Copy]]) -> str:
    """HTML of equal images, each group in a row of its own."""
    shown = "\n".join(f'<div class="group">{sheet(group[:_IN_A_GROUP])}</div>' for group in equal[:_GROUPS])
    more = len(equal) - _GROUPS
    return shown + (f'<p class="faint">and {more:,} more</p>' if more > 0 else "")


def legend(labels: Labels, shown: Sequence[int], with_background: bool = False) -> str:
    """HTML of the names of some labels beside their colours.

    Args:
        with_background: name the background, too, if it is shown; it is not tinted.
    """
    entries = [
        f"<span>{chip(labels.shown_colors[index])}{escape(labels.names[index])}</span>"
        for index in shown
        if index != labels.background
    ]
    if with_background and labels.background is not None and labels.background in shown:
        entries.append(f"<span>{escape(labels.names[labels.background])}: no colour</span>")
    return f'<span class="legend">{" ".join(entries)}</span>'


def _figure(copy: Copy) -> str:
    subset, sample = copy.inspection.subset, copy.sample
    name = escape(f"{copy.inspection.name}: {sample.name}")
    content = copy.found.content
    shown = sorted(content.shown, key=lambda index: -content.pixels[index])
    try:
        image, mask = (
            shrunk(pixels, _LONGEST_SIDE) for pixels in (subset.read_image(sample), subset.read_mask(sample))
        )
    except DataError as error:  # it was valid a moment ago
        return f"<figure>{escape(str(error))}</figure>"
    title = escape(str(Path(sample.image)))
    return (
        f'<figure><div class="picture" tabindex="0" title="{title}">'
        f'<img src="{embedded(overlay(image, mask, subset.labels))}" alt="{name}, with its mask" loading="lazy">'
        f'<img class="plain" src="{embedded(image)}" alt="{name}" loading="lazy"></div>'
        f"<figcaption>{name}<br>{legend(subset.labels, shown)}</figcaption></figure>"
    )


def _bare_figure(subset: str, path: str) -> str:
    name = escape(f"{subset}: {Path(path).name}")
    try:
        image = shrunk(read_image(path), _LONGEST_SIDE)
    except DataError as error:  # it was valid a moment ago
        return f"<figure>{escape(str(error))}</figure>"
    return (
        f'<figure><div class="picture" title="{escape(path)}"><img src="{embedded(image)}" alt="{name}" loading="lazy">'
        f"</div><figcaption>{name}</figcaption></figure>"
    )
