"""The full ADE20K of 2020."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from otx_seg.datasets.ade20k import ade20k_subsets, holds_descriptions
from otx_seg.datasets.data_format import Subsets
from otx_seg.errors import DataError
from otx_seg.runtime.images import read_bytes
from otx_seg.runtime.plain_files import parse_json

_DESCRIPTION = ".json"


class Ade20k2020:
    """The full ADE20K as published in 2020::

        training/urban/street/ADE_train_00016858.jpg
        training/urban/street/ADE_train_00016858_seg.png    red and green number the class
        training/urban/street/ADE_train_00016858.json       the objects, each with raw_name and name_ndx

    Labels are the raw names of whole objects, not of parts, in alphabetical order. Pixels of no object are ignored.
    """

    title = "ADE20K 2020"
    layout = "training/.../a.jpg with a_seg.png and a.json"
    notes = "as `ade20k2017`"
    takes_annotation_file = False

    def detects(self, root: Path) -> bool:
        """See `DataFormat`."""
        return holds_descriptions(root, _DESCRIPTION)

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        """See `DataFormat`."""
        return ade20k_subsets(root, _DESCRIPTION, _describe, by_instance=False)


def _describe(path: Path) -> Mapping[int, str]:
    """The label of each class by its number."""
    try:
        objects = parse_json(read_bytes(path).decode("latin-1"), path)["annotation"]["object"]
        return {
            int(thing["name_ndx"]): str(thing["raw_name"])
            for thing in objects
            if int(thing["parts"]["part_level"]) == 0 and int(thing["name_ndx"]) > 0
        }
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: unusable ({type(error).__name__}: {error}); expected are annotation.object entries with "
            "raw_name, name_ndx and parts.part_level"
        ) from error
