"""What messages say of masks with values or colours that are no label."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.snapping import Color, nearest_labels
from otx_seg.errors import DataError
from otx_seg.labels import IGNORE_INDEX

WHITE = (255, 255, 255)
MOST_NAMED = 10
"""Labels named in a message."""

_SHOWN = 5  # wrong values or colours named in a message; enough to see the pattern


class MaskContentError(DataError):
    """A mask file that is sound but cannot be this data set's: a value or colour that is no label, say."""


class KnowsLabels(Protocol):
    """What `otx_seg.annotations.masks.MaskCode` is to these messages."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def values(self) -> tuple[int, ...] | None: ...

    @property
    def source(self) -> str: ...

    @property
    def index_of_color(self) -> Mapping[Color, int]: ...


def wrong_values(wrong: list[int], values: NDArray, path: str | Path, code: KnowsLabels) -> str:
    """What is wrong with a mask of `values` (H, W) of which those in `wrong` are no label's."""
    shown = ", ".join(f"{value} ({int((values == value).sum())} pixels)" for value in wrong[:_SHOWN])
    more = f" and {len(wrong) - _SHOWN} more values" if len(wrong) > _SHOWN else ""
    text = f"{path}: mask value {shown}{more} is no label; allowed are {_allowed_values(code)}; "
    return text + _advice_on_values(wrong, path, code)


def _allowed_values(code: KnowsLabels) -> str:
    listed = list(zip(code.values or range(len(code.names)), code.names, strict=True))
    names = ", ".join(f"{value} {name}" for value, name in listed[:MOST_NAMED])
    more = f" and {len(listed) - MOST_NAMED} more" if len(listed) > MOST_NAMED else ""
    return f"{names}{more} and {IGNORE_INDEX} (ignored)"


def wrong_colors(numbers: NDArray[np.int32], path: str | Path, code: KnowsLabels) -> str:
    """The same of a colour mask; `numbers` are the colours of the pixels without label, R * 65536 + G * 256 + B."""
    found, counts = np.unique(numbers, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:_SHOWN]
    shown = ", ".join(f"({found[i] >> 16}, {found[i] >> 8 & 255}, {found[i] & 255}) ({counts[i]} pixels)" for i in most)
    more = f" and {len(found) - _SHOWN} more colours" if len(found) > _SHOWN else ""
    named = [f"{color} {code.names[index]}" for color, index in code.index_of_color.items()]
    known = ", ".join(named[:MOST_NAMED]) + (f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else "")
    allowed = f"allowed are {known} and {WHITE} (ignored)" if known else f"{code.source} has no colours of labels"
    return f"{path}: mask colour {shown}{more} is no label; {allowed}; {advice_on(path, code)}"


def advice_on(path: str | Path, code: KnowsLabels) -> str:
    """What to do about a mask that holds what is no label."""
    if Path(path).suffix.lower() in (".jpg", ".jpeg", ".jpe", ".jfif"):
        return (
            f"JPEG changes the values of a mask: save masks as PNG, or give the labels in {code.source} the colours of "
            "the masks, far from each other: then each pixel gets the label of the nearest colour"
        )
    return f"correct the mask or add the label to {code.source}"


def _advice_on_values(wrong: list[int], path: str | Path, code: KnowsLabels) -> str:
    if wrong == [0] and code.values is not None:
        return f"give it a name in {code.source}: `0 background`, or `0 void` if it is to be ignored"
    return advice_on(path, code)


def snapped(
    pixels: NDArray[np.uint8], path: str | Path, code: KnowsLabels, lossy: bool
) -> tuple[NDArray[np.uint8], int]:
    """As `nearest_labels`, of all labels that have colours.

    Raises:
        MaskContentError: colours are far from all of them.
    """
    known = code.index_of_color
    exact = {WHITE: IGNORE_INDEX, **known}
    two_tone = len(code.names) == len(known) == 2
    try:
        return nearest_labels(pixels, exact, known if two_tone else exact, lossy)
    except ValueError as error:
        named = ", ".join(f"{color} {code.names[index]}" for color, index in [*known.items()][:MOST_NAMED])
        raise MaskContentError(f"{path}: {error}; labels are {named}; {advice_on(path, code)}") from error
