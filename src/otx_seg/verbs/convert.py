"""`otx convert`: labelled data of any format as Common Semantic Segmentation."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otx_seg.datasets import open_folder
from otx_seg.datasets.conversion import write_as_folders
from otx_seg.datasets.split import check_same_labels
from otx_seg.errors import OtxError, UsageError
from otx_seg.labels import Labels
from otx_seg.verbs.data import tell_skipped
from otx_seg.workspace.atomic import write_json
from otx_seg.workspace.data_folders import refuse_among_data
from otx_seg.workspace.digest import digest_of

logger = logging.getLogger(__name__)

_UNDER_WAY = "conversion.json"
"""Stands in the output until everything is written: what is being converted."""


@dataclass(frozen=True)
class Converted:
    """The outcome of `convert`.

    Attributes:
        output: the folder.
        images: number of images by subset.
        labels: those of the data.
        skipped: one message for each file that was left out.
    """

    output: Path
    images: dict[str, int]
    labels: Labels
    skipped: tuple[str, ...]


def convert(
    data_roots: str | Path,
    output: str | Path,
    *,
    data_format: str | None = None,
    ann_files: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Converted:
    """Write labelled data as ``images/``, ``masks/`` (PNG files of label indices) and ``dataset_meta.json``.

    A data set with subsets gets a folder for each. Images are copied. An interrupted conversion goes on where it was if
    it is started again.

    Args:
        data_roots: the folder of the data. Nothing is written there.
        output: a new or empty folder, or that of an interrupted conversion of the same data.
        data_format: name of its format, see `otx_seg.datasets.known_formats`; None: what it looks like.
        ann_files: COCO file of annotations to use instead of those in `data_roots`.
        progress: called with the numbers of images done and to do.

    Raises:
        UsageError: an unknown format, or an output that holds something else or lies in the data.
        DataError: the data cannot be used.
        OtxError: it was interrupted.
    """
    root, folder = Path(data_roots), Path(output)
    annotations = Path(ann_files) if ann_files is not None else None
    refuse_among_data(folder, [root], "choose another --output")
    source = {
        "data_root": str(root.resolve()),
        "data_format": data_format,
        "annotations": None if annotations is None else str(annotations.resolve()),
        "files": [digest_of(path) for path in (root, annotations) if path is not None],
    }
    _refuse_other_content(folder, source)
    subsets = open_folder(root, data_format, annotations)
    first = next(iter(subsets.values()))
    for subset in subsets.values():
        check_same_labels(first, subset)
    write_json(folder / _UNDER_WAY, source)
    try:
        written = write_as_folders(subsets, folder, progress)
    except KeyboardInterrupt as error:
        raise OtxError(f"interrupted; to go on, give the same command again (what is done is in {folder})") from error
    (folder / _UNDER_WAY).unlink()
    tell_skipped("converted", written.skipped)
    return Converted(folder, dict(written.images), first.labels, written.skipped)


def _refuse_other_content(folder: Path, source: dict[str, Any]) -> None:
    """
    Raises:
        UsageError: the folder holds anything but an interrupted conversion of this source.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: --output names a file; name a folder")
    if not folder.exists() or not any(folder.iterdir()):
        return
    try:
        under_way = json.loads((folder / _UNDER_WAY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UsageError(f"{folder}: is not empty; choose another --output, or empty it") from None
    if under_way != source:
        raise UsageError(
            f"{folder}: holds an interrupted conversion of {under_way.get('data_root')}, which was another folder, was "
            "read in another way, or held other files then; choose another --output, or empty it"
        )
    logger.info("going on with the conversion in %s", folder)
