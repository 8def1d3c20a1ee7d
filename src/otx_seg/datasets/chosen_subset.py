"""Which subset of a data set is used for what."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from otx_seg.annotations.samples import Subset
from otx_seg.errors import DataError
from otx_seg.formats import Subsets
from otx_seg.formats.layouts.folder import DEFAULT_SUBSET
from otx_seg.words import listed

TRAINED_ON = ("train", DEFAULT_SUBSET)
"""The subsets that are trained on, the first one that is there."""

VALIDATED_ON = ("val", DEFAULT_SUBSET)
"""The same of those to validate on in a folder of their own."""


def open_chosen(
    root: Path, subsets: Subsets, wanted: tuple[str, ...], purpose: str, use_polygons: bool
) -> tuple[str, Subset]:
    """The subset that `choose_subset` takes, and its name.

    Raises:
        DataError: see `choose_subset`, or it cannot be used.
    """
    name = choose_subset(root, subsets, wanted, purpose)
    subset = subsets[name]()
    return name, subset.through_polygons() if use_polygons else subset


def choose_subset(root: Path, names: Collection[str], wanted: tuple[str, ...], purpose: str) -> str:
    """The subset to use: the first one wanted that is there, else the only one.

    Args:
        root: the folder of the data set, for messages.
        names: the subsets that are there.
        wanted: their names, the best first.
        purpose: what it is for, for messages.

    Raises:
        DataError: there are several, none of which is wanted.
    """
    for name in (*wanted, *(names if len(names) == 1 else ())):
        if name in names:
            return name
    raise DataError(
        f"{root}: which subset to {purpose}? Found {listed(names)}, expected {' or '.join(wanted)}; give the path of "
        f"one, or rename its folder to {wanted[0]}"
    )
