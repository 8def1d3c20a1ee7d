"""The labels of a data set or a model: their names, their order and their colours."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from otx_seg.errors import UsageError
from otx_seg.palette import distinct, palette

IGNORE_INDEX = 255
"""Mask value that every loss and metric leaves out."""

LONGEST_NAME = 1000
"""Characters of a label's name."""

HIGHEST_MASK_VALUE = (1 << 16) - 1
"""Of a mask, whose pixels have 16 bits at most."""

MaskValue = int | tuple[int, int, int]
"""What a label's pixels hold in a mask file: a whole number up to `HIGHEST_MASK_VALUE`, or an RGB colour."""

_CONTROL = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode categories of what no name has: control characters, halves of characters, ends of lines."""


@dataclass(frozen=True)
class Labels:
    """Label names in index order, with one RGB colour (0-255 each) per label.

    Attributes:
        names: ``names[i]`` is the label of mask value ``i``.
        colors: ``colors[i]`` is the RGB colour label ``i`` has in colour masks.
        background: index of the label that the macro scores leave out, or None if there is none.
        mask_values: what the pixels of each label held in the mask files of the training data, all numbers or all
            colours; None: that is not known, or there were no such files.
    """

    names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    background: int | None
    mask_values: tuple[MaskValue, ...] | None = field(default=None, compare=False)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shown_colors(self) -> tuple[tuple[int, int, int], ...]:
        """The RGB colours in pictures and overlays: `colors`, but for those that look like another label's."""
        return distinct(self.colors)

    @property
    def foreground(self) -> tuple[int, ...]:
        """The indices the headline scores average over."""
        return tuple(index for index in range(len(self.names)) if index != self.background)


def extended(labels: Labels, other: Labels) -> Labels:
    """All of `labels`, then those of `other` whose names are not among them; where a colour is taken, with another.

    Raises:
        ValueError: both have a background, of different names.
    """
    backgrounds = [part.names[part.background] for part in (labels, other) if part.background is not None]
    if len(set(backgrounds)) == 2:
        raise ValueError(f"{backgrounds[0]!r} is the background of the one and {backgrounds[1]!r} that of the other")
    new = [index for index, name in enumerate(other.names) if name not in labels.names]
    names = labels.names + tuple(other.names[index] for index in new)
    colors = list(labels.colors)
    for index in new:
        free = (color for color in default_colors(256) if color not in colors)
        colors.append(next(free) if other.colors[index] in colors else other.colors[index])
    values = None
    if labels.mask_values is not None and other.mask_values is not None:
        values = one_value_each((*labels.mask_values, *(other.mask_values[index] for index in new)))
    return Labels(names, tuple(colors), names.index(backgrounds[0]) if backgrounds else None, values)


def one_value_each(values: Sequence[MaskValue | None]) -> tuple[MaskValue, ...] | None:
    """Mask values, if there is one for every label, all are numbers or all are colours, and no two are the same."""
    known = tuple(value for value in values if value is not None)
    kinds = {type(value) for value in known}
    too_high = any(isinstance(value, int) and value > HIGHEST_MASK_VALUE for value in known)
    return None if len(set(known)) < len(values) or len(kinds) > 1 or too_high else known


def labels_called(names: str | Sequence[str]) -> Labels:
    """Labels with default colours, from their names.

    Args:
        names: in the order of a model's outputs, one by one or in a text with commas between them.

    Raises:
        UsageError: fewer than two names, more than masks have values for, an empty one, or one twice.
    """
    given = tuple(name.strip() for name in (names.split(",") if isinstance(names, str) else names))
    if not 2 <= len(given) <= IGNORE_INDEX:
        listed = ", ".join(map(repr, given[:IGNORE_INDEX]))
        raise UsageError(
            f"labels: {len(given)} named ({listed[:80]}); name from 2 to {IGNORE_INDEX}, one for each output of the "
            "model, with commas between them: background,cat,dog"
        )
    try:
        check_names(given)
    except ValueError as error:
        raise UsageError(f"labels: {error}; each output of the model has a name of its own") from error
    return Labels(given, default_colors(len(given)), background_index(given))


def given_labels(labels: str | Sequence[str] | None) -> Labels | None:
    """The labels a user names for a model that carries none, see `labels_called`."""
    return None if labels is None else labels_called(labels)


def check_names(names: Sequence[str]) -> None:
    """
    Raises:
        ValueError: one of the names of labels is empty, longer than `LONGEST_NAME`, has control characters, or stands
            there twice.
    """
    seen: set[str] = set()
    for index, name in enumerate(names):
        told = repr(name[:40])
        if not name.strip():
            raise ValueError(f"the name of label {index} is empty")
        if len(name) > LONGEST_NAME:
            raise ValueError(f"label {index}, {told}..., has {len(name):,} characters; a name has {LONGEST_NAME}")
        if any(unicodedata.category(character) in _CONTROL for character in name):
            raise ValueError(f"the name of label {index}, {told}, has control characters")
        if name in seen:
            raise ValueError(f"the label {told} is named twice")
        seen.add(name)


def background_index(names: Sequence[str]) -> int | None:
    """The index of the label that is the background by its name (see `means_background`), or None.

    Of several, the one that is just called background, else the first.
    """
    found = [index for index, name in enumerate(names) if means_background(name)]
    return next((index for index in found if names[index].lower() == "background"), found[0] if found else None)


def means_background(name: str) -> bool:
    """Whether a label is called background or BG, in any case and with anything around it: ``_background_``."""
    return _letters(name) in ("background", "bg")


def means_ignored(name: str) -> bool:
    """Whether a label's name says that its pixels have no label: ``void``, ``unlabeled``, ``__ignore__``, ``no data``.

    Label lists that come with masks have such entries, since masks need a value for it.
    """
    return _letters(name) in ("void", "ignore", "ignored", "unlabeled", "unlabelled", "nodata", "dontcare")


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def default_colors(count: int) -> tuple[tuple[int, int, int], ...]:
    """The first `count` colours of the palette, 256 at most: black, then colours that people tell apart."""
    return palette()[:count]


def labels_to_plain(labels: Labels) -> dict[str, Any]:
    """The labels as lists, numbers and texts."""
    plain: dict[str, Any] = {
        "names": list(labels.names),
        "colors": [list(color) for color in labels.colors],
        "background": labels.background,
    }
    if labels.mask_values is not None:
        values = labels.mask_values
        plain["mask_values"] = [list(value) if isinstance(value, tuple) else value for value in values]
    return plain
