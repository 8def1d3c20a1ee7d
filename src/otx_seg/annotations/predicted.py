"""Predictions that were written as annotations: whether a person has corrected them since.

Beside the annotations lies a record with the SHA-256 of each file, in the format of ``sha256sum``. A file that still
has its digest is a prediction: a network that is trained on it learns what a network says already. No reader of
annotations looks at files of this suffix.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

from otx_seg.annotations.samples import Sample
from otx_seg.errors import DataError
from otx_seg.runtime.image_files import file_names, is_image_name
from otx_seg.runtime.plain_files import read_text
from otx_seg.runtime.whole_file import write_atomic
from otx_seg.workspace.digest import content_digest

RECORD = "predictions.sha256"
"""The record, in the folder of the annotations."""

_LINE = re.compile(r"([\da-f]{64})  (.+)")
_LEVELS = 3  # folders of annotations are as deep below the record, as in labels/train


def record_predictions(folder: Path) -> None:
    """Write the record of all files in a folder and below but its images.

    Raises:
        OSError: a file cannot be read, or the record cannot be written.
    """
    names = sorted(name for name in file_names(str(folder)) if name != RECORD and not is_image_name(name))
    lines = [f"{content_digest([folder / name])}  {name}\n" for name in names if "\n" not in name]
    write_atomic(folder / RECORD, "".join(lines).encode("utf-8", "surrogateescape"))


def uncorrected(samples: Iterable[Sample]) -> list[Sample]:
    """The samples whose annotations are in a file that is as it was predicted."""
    records, is_predicted = cache(_record), cache(_is_predicted)
    return [sample for sample in samples if is_predicted(sample.mask, records)]


def _is_predicted(file: str, records: Callable[[Path], Mapping[str, str]]) -> bool:
    path = Path(file).absolute()
    for folder in path.parents[:_LEVELS]:
        digest = records(folder).get(path.relative_to(folder).as_posix())
        if digest is not None:
            return _has_digest(path, digest)
    return False


def _has_digest(path: Path, digest: str) -> bool:
    try:
        return content_digest([path]) == digest
    except OSError:  # whoever reads it says so
        return False


def _record(folder: Path) -> dict[str, str]:
    """The digest of each file, by its path below the folder; nothing where there is no record."""
    path = folder / RECORD
    if not path.is_file():
        return {}
    try:
        lines = read_text(path).splitlines()
    except DataError:  # of another program
        return {}
    return {found[2]: found[1] for found in map(_LINE.fullmatch, lines) if found}
