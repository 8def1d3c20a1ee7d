"""Processes every image of a folder; nothing is overwritten, and an unreadable image does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath
from typing import TypeVar

from otx_seg.errors import DataError, OtxError, interrupted_by
from otx_seg.runtime.path_filter import ALL_PATHS, PathFilter
from otx_seg.runtime.result_files import check_free, named_images
from otx_seg.words import count

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


def process_images(
    source: Path,
    files_of: Callable[[Path, PurePath], Iterable[Path]],
    work: Callable[[Path, PurePath], Result],
    overwrite: bool,
    progress: Callable[[int, int], None] | None,
    paths: PathFilter = ALL_PATHS,
) -> tuple[tuple[Result, ...], tuple[tuple[Path, str], ...]]:
    """Call `work` with an image, or with every image in a folder and below, and its name.

    The name is the image's path below the folder, without its suffix where no other image's is the same.

    Args:
        source: an image or a folder.
        files_of: the files that `work` may write for an image, given with its name.
        work: may raise DataError for an image that cannot be read.
        overwrite: whether these files may replace others; never the images.
        progress: called with the numbers of images done and to do.
        paths: which images of the folder.

    Returns:
        What `work` gave, and which images could not be read and why.

    Raises:
        DataError: there is no image, or none could be read.
        UsageError: a file would be overwritten, or see `PathFilter.chosen`; nothing has been done then.
        OtxError: it was interrupted.
    """
    images, inputs = named_images(source, paths)
    for image, name in images:
        check_free(files_of(image, name), inputs, overwrite)
    results: list[Result] = []
    unreadable: list[tuple[Path, str]] = []
    for number, (image, name) in enumerate(images, start=1):
        try:
            results.append(work(image, name))
        except DataError as error:
            unreadable.append((image, str(error)))
            logger.warning("skipped: %s", error)
        except KeyboardInterrupt as error:
            raise OtxError(
                f"{interrupted_by(error)}; the results of {len(results):,} of {count(len(images), 'image')} are there "
                "and stay. With --overwrite the same command makes all of them; another --output keeps these"
            ) from error
        if progress is not None:
            progress(number, len(images))
    if not results:
        raise DataError(f"{source}: none of {len(images)} images could be read; the first: {unreadable[0][1]}")
    return tuple(results), tuple(unreadable)
