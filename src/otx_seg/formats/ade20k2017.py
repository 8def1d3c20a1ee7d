"""The full ADE20K of 2017."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from otx_seg.annotations.label_lists import lines_of
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts.ade20k import MOST_CODES, ade20k_subsets, holds_descriptions
from otx_seg.runtime.plain_files import shown, whole_number

_DESCRIPTION = "_atr.txt"
_COLUMNS = 6
_MOST_PARTS = 100  # levels of parts of parts


class Ade20k2017(DataFormat):
    """The full ADE20K as published in 2017::

        training/a/abbey/ADE_train_00000970.jpg
        training/a/abbey/ADE_train_00000970_seg.png     blue numbers the objects
        training/a/abbey/ADE_train_00000970_atr.txt     number # part level # occluded # ... # name # "attributes"

    Labels are the names of whole objects, not of parts, in alphabetical order. Pixels of no object are ignored.
    """

    title = "ADE20K 2017"
    layout = "training/.../a.jpg with a_seg.png and a_atr.txt"
    notes = (
        "whole objects, not parts; labels in alphabetical order; pixels of no object are ignored. The whole of "
        "ADE20K has thousands of labels, 254 are possible; its 150-label edition is `image_and_mask_folders`"
    )

    def detects(self, root: Path) -> bool:
        return holds_descriptions(root, _DESCRIPTION)

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        return ade20k_subsets(root, _DESCRIPTION, _describe, by_instance=True)


def _describe(path: Path) -> Mapping[int, str]:
    """The label of each object by its number."""
    found: dict[int, str] = {}
    for line in lines_of(path):
        columns = [column.strip() for column in line.split("#")]
        try:
            if len(columns) != _COLUMNS:
                raise ValueError(f"{len(columns)} columns")
            number = whole_number(columns[0], 0, MOST_CODES - 1, "the number of an object")
            level = whole_number(columns[1], 0, _MOST_PARTS, "a part level")
        except ValueError as error:
            expected = 'number # part level # 0 # ... # name # "..."'
            raise DataError(f"{path}: {shown(line)} is no object ({error}); expected is: {expected}") from error
        if level == 0:
            if number in found:
                raise DataError(f"{path}: object {number} occurs twice; give each its own number")
            found[number] = columns[4]
    return found
