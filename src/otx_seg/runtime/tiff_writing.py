"""Writing TIFF files of several pages, in pieces, so that no more than a page has to be in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otx_seg.runtime.georeference import GeoTag
from otx_seg.runtime.result_files import write_picture, writing
from otx_seg.runtime.whole_file import opened_atomically

_LARGEST_CLASSIC = 4_000_000_000
"""Bytes of pixels from which on the file is a BigTIFF: the other kind ends at 4 GiB."""

_PAGE_NAME = 285


def write_raster(
    path: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16], georeference: Sequence[GeoTag] = ()
) -> None:
    """Write a PNG, or a TIFF, as the suffix says.

    Args:
        pixels: see `write_picture`.
        georeference: of a TIFF.

    Raises:
        OtxError: the file cannot be written.
    """
    if path.suffix == ".tif":
        write_tiff(path, [pixels], pixels.nbytes, georeference=georeference)
    else:
        write_picture(path, pixels)


def write_tiff(
    path: Path,
    pages: Iterable[NDArray[np.uint8] | NDArray[np.uint16]],
    nbytes: int,
    names: Sequence[str] = (),
    georeference: Sequence[GeoTag] = (),
) -> None:
    """Write pages (H, W), grey, or (H, W, 3), RGB, compressed without loss (Deflate), whole or not at all.

    Args:
        pages: of the same type and shape.
        nbytes: of all pages together.
        names: of the pages, as PageName; none: they have none.
        georeference: of each page.

    Raises:
        OtxError: the file cannot be written.
    """
    import tifffile  # most predictions write no TIFF

    large = nbytes > _LARGEST_CLASSIC
    with writing(path), opened_atomically(path) as file, tifffile.TiffWriter(file, bigtiff=large) as writer:
        for number, page in enumerate(pages):
            named = [(_PAGE_NAME, "s", 0, names[number].encode() + b"\0", True)] if names else []
            writer.write(
                page,
                photometric="minisblack" if page.ndim == 2 else "rgb",
                compression="zlib",
                metadata=None,
                software=False,
                extratags=[*named, *((*tag, True) for tag in georeference)],
            )
