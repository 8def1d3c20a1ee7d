"""The full ADE20K of 2020."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts.ade20k import MOST_CODES, ade20k_subsets, holds_descriptions
from otx_seg.runtime.images import read_bytes
from otx_seg.runtime.plain_files import parse_json, whole_number

_DESCRIPTION = ".json"
_EXPECTED = "expected are annotation.object entries with raw_name, name_ndx and parts.part_level"
_MOST_PARTS = 100  # levels of parts of parts


class Ade20k2020(DataFormat):
    """The full ADE20K as published in 2020::

        training/urban/street/ADE_train_00016858.jpg
        training/urban/street/ADE_train_00016858_seg.png    red and green number the class
        training/urban/street/ADE_train_00016858.json       the objects, each with raw_name and name_ndx

    Labels are the raw names of whole objects, not of parts, in alphabetical order. Pixels of no object are ignored.
    """

    title = "ADE20K 2020"
    layout = "training/.../a.jpg with a_seg.png and a.json"
    notes = "as `ade20k2017`"

    def detects(self, root: Path) -> bool:
        return holds_descriptions(root, _DESCRIPTION)

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        return ade20k_subsets(root, _DESCRIPTION, _describe, by_instance=False)


def _describe(path: Path) -> Mapping[int, str]:
    """The label of each class by its number."""
    found: dict[int, str] = {}
    content = parse_json(read_bytes(path).decode("latin-1"), path, _EXPECTED, not_finite=True)
    try:
        for thing in content["annotation"]["object"]:
            index = whole_number(thing["name_ndx"], 0, MOST_CODES - 1, "name_ndx")
            if whole_number(thing["parts"]["part_level"], 0, _MOST_PARTS, "part_level") == 0 and index > 0:
                found[index] = str(thing["raw_name"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: unusable ({type(error).__name__}: {error}); {_EXPECTED}") from error
    return found
