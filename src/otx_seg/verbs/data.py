"""What every verb is told, and tells, about the data it uses."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from otx_seg.datasets import HowToRead

logger = logging.getLogger(__name__)


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


def tell_skipped(name: str, reasons: Iterable[object]) -> tuple[str, ...]:
    """Warn of every file that is left out of the data called `name`; gives the warnings."""
    messages = tuple(f"{name} data: skipped: {reason}" for reason in reasons)
    for message in messages:
        logger.warning("%s", message)
    return messages
