"""The files results are kept in, named after their images: of a prediction, a mask and an overlay."""

from __future__ import annotations

import logging
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import compress
from pathlib import Path, PurePath

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import OtxError, UsageError
from otx_seg.runtime.image_files import images_in, unread_in
from otx_seg.runtime.image_headers import file_and_page
from otx_seg.runtime.path_filter import ALL_PATHS, PathFilter
from otx_seg.runtime.whole_file import write_atomic

logger = logging.getLogger(__name__)

OVERLAYS = "overlays"
_JPEG_QUALITY = 90
_OVERLAY_SIDE = 8_000
"""Pixels of an overlay's longer side at most: it is for looking at, and few viewers open more."""


@dataclass(frozen=True)
class ResultFiles:
    """Where the results of one image go.

    Attributes:
        mask: PNG of the image's size, 8-bit grey, the value of a pixel is the index of its label, unless something else
            is asked for.
        overlay: JPEG of the image with the labels' colours, shrunk to 8,000 pixels on its longer side if it has more.
    """

    mask: Path
    overlay: Path

    def check(self, inputs: set[Path], overwrite: bool) -> None:
        """Make sure that writing replaces none of `inputs` (resolved paths), nor anything else without `overwrite`.

        Raises:
            UsageError: it would.
        """
        check_free((self.mask, self.overlay), inputs, overwrite)

    def write(self, mask: NDArray[np.uint8] | NDArray[np.uint16], drawn: NDArray[np.uint8]) -> None:
        """Write both files.

        Args:
            mask: what `MaskCoding` gives.
            drawn: uint8 (H, W, 3) RGB; see `shrunk`.

        Raises:
            OtxError: a file cannot be written.
        """
        write_picture(self.mask, mask)
        write_picture(self.overlay, shrunk(drawn))


def result_files(output: Path, name: PurePath) -> ResultFiles:
    """The files for the image called `name`, a relative path without suffix."""
    return ResultFiles(output / f"{name}.png", output / OVERLAYS / f"{name}.jpg")


def named_images(source: Path, paths: PathFilter = ALL_PATHS) -> tuple[list[tuple[Path, PurePath]], set[Path]]:
    """The chosen images at `source`, see `images_in`, each with the name of its results, and the files of all of them.

    Images in formats that are not read are told of, as a warning. The name is the path below the folder, see
    `unique_names`, and does not depend on the choice; files are resolved paths.

    Raises:
        DataError: `source` does not exist, or no image is there.
        UsageError: see `PathFilter.chosen`.
    """
    images = images_in(source)
    unread = unread_in(source)
    if unread:
        logger.warning("%s: left out: %s", source, unread)
    root = source if source.is_dir() else source.parent
    relative = [image.relative_to(root) for image in images]
    chosen = compress(zip(images, unique_names(relative), strict=True), paths.chosen(relative, source))
    return list(chosen), {Path(file_and_page(image)[0]).resolve() for image in images}


def unique_names(relative: list[Path]) -> list[PurePath]:
    """Names without suffix, of a page with its number (``a#2``).

    They keep it where they would be the same, also on disks that ignore upper and lower case.
    """
    short = [_without_suffix(path) for path in relative]
    uses = Counter(map(_folded, short))
    taken: set[str] = set()
    names: list[PurePath] = []
    for path, plain in zip(relative, short, strict=True):
        name: PurePath = plain if uses[_folded(plain)] == 1 else path
        number = 2
        while _folded(name) in taken:
            name = path.with_name(f"{path.name}_{number}")
            number += 1
        taken.add(_folded(name))
        names.append(name)
    return names


def _without_suffix(path: Path) -> PurePath:
    file, page = file_and_page(path)
    stem = PurePath(file).with_suffix("")
    return stem if page is None else stem.with_name(f"{stem.name}#{page}")


def _folded(path: PurePath) -> str:
    return unicodedata.normalize("NFC", path.as_posix()).casefold()


def shrunk(pixels: NDArray[np.uint8], longest_side: int | None = None) -> NDArray[np.uint8]:
    """With so many pixels on its longer side at most, by default those of an overlay that is kept.

    Args:
        pixels: an image (H, W, 3), or a mask (H, W), of which labels are not mixed.
    """
    height, width = pixels.shape[:2]
    scale = (longest_side or _OVERLAY_SIDE) / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_AREA if pixels.ndim == 3 else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(pixels, size, interpolation=way))


def check_free(results: Iterable[Path], inputs: set[Path], overwrite: bool) -> None:
    """Make sure that `results` replace none of `inputs` (resolved paths), nor another file without `overwrite`.

    Raises:
        UsageError: it would.
    """
    for result in results:
        if result.resolve() in inputs:
            raise UsageError(f"{result}: is one of the images and would be overwritten; choose another --output")
        if result.exists() and not overwrite:
            raise UsageError(f"{result}: exists; choose another --output, or allow replacing it with --overwrite")


def write_picture(path: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Write a PNG or a JPEG, as the suffix says.

    Args:
        pixels: uint8, or uint16 of a PNG; (H, W, 3) RGB or (H, W) grey.

    Raises:
        OtxError: the file cannot be written.
    """
    parameters = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if path.suffix == ".jpg" else []
    stored = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    _, content = cv2.imencode(path.suffix, stored, parameters)
    write_result(path, content.tobytes())


def write_result(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        OtxError: it cannot be written.
    """
    with writing(path):
        write_atomic(path, content)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Where `path` is written.

    Raises:
        OtxError: it cannot be.
    """
    try:
        yield
    except OSError as error:
        raise OtxError(f"{error.filename or path}: cannot be written ({error.strerror})") from error
