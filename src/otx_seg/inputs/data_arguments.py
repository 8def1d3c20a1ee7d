"""What every verb is told, and tells, about the data it uses."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from otx_seg.datasets import HowToRead, check_format_name
from otx_seg.workspace.data_file import Data, read_data_file
from otx_seg.workspace.workspace import Workspace


def how_to_read(
    data_format: str | None,
    train_ann_files: str | Path | None = None,
    val_ann_files: str | Path | None = None,
    test_ann_files: str | Path | None = None,
) -> HowToRead:
    """What the arguments of a verb say about reading its data.

    Args:
        data_format: name of the format; None: what the data looks like.
        train_ann_files, val_ann_files, test_ann_files: files of annotations to use instead of those in the folders.
    """
    files = (train_ann_files, val_ann_files, test_ann_files)
    return HowToRead(data_format, *(None if file is None else Path(file) for file in files))


def outermost(roots: Iterable[Path]) -> tuple[Path, ...]:
    """Those folders that do not lie in another one of them, each once."""
    by_place: dict[Path, Path] = {}
    for root in roots:
        by_place.setdefault(root.resolve(), root)
    return tuple(root for place, root in by_place.items() if by_place.keys().isdisjoint(place.parents))


def data_of(workspace: Workspace) -> Data:
    """What the ``data.yaml`` of a workspace says; nothing where there is no such file.

    Raises:
        UsageError: it cannot be understood, or names an unknown format; the message names file and key.
    """
    if not workspace.data.is_file():
        return Data()
    data = read_data_file(workspace.data)
    if data.data_format is not None:
        check_format_name(data.data_format, f"{workspace.data}: data.data-format:")
    return data
