"""TIFF pages as images for viewers: which decoder may be trusted with which, and what samples look like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from otx_seg.errors import DataError
from otx_seg.runtime.tiff import BLACK_IS_ZERO, CMYK, PALETTE, RGB, UNCOMPRESSED, WHITE_IS_ZERO, StoredPage
from otx_seg.runtime.tiff_samples import stored_samples, undecodable

_LOSSLESS = (1, 5, 8, 32773, 32946)
_ADVICE = "save it as RGB or grey, with 8 or 16 bits per channel"


def opencv_reads(page: StoredPage) -> bool:
    """Whether OpenCV decodes a page to what `tiff_image` gives: the ordinary kinds, twice as fast and in little memory.

    It looks at the first page alone, turns none, multiplies colours by alpha, scales 16 bits in another way, and fails
    at tiles without compression in memory.
    """
    ordinary = (page.photometric, page.samples) in ((WHITE_IS_ZERO, 1), (BLACK_IS_ZERO, 1), (RGB, 3))
    upright = page.directory == 0 and page.orientation == 1
    packed = (
        undecodable(page) is None
        and page.compression in _LOSSLESS
        and not (page.tiled and page.compression == UNCOMPRESSED)
    )
    return ordinary and upright and packed and (page.bits, page.kind) == (8, "u")


def refuse_strange(
    page: StoredPage,
    path: str | Path,
    strange: str | None,
    advice: str = _ADVICE,
    error: type[DataError] = DataError,
) -> None:
    """
    Args:
        strange: what is unusual about the page; None: nothing.
        advice: what to do about it.
        error: what is raised.

    Raises:
        DataError: as `error`: it is unusual, or nothing here decodes it.
    """
    reason = strange or undecodable(page)
    if reason is not None:
        raise error(f"{path}: {reason}: this is not read; {advice}")


def tiff_image(content: bytes, page: StoredPage, path: str | Path) -> NDArray[np.uint8]:
    """uint8 (H, W, 3) RGB of a page as it is stored, not turned.

    Raises:
        DataError: a kind that is not read, or a truncated or damaged file.
    """
    strange = page.strangeness
    if strange is None and page.photometric == CMYK and page.bits != 8:
        strange = f"{page.bits}-bit CMYK samples"
    if strange is None and page.photometric == PALETTE and (page.palette is None or page.bits > 8):
        strange = f"{page.bits}-bit palette numbers"
    refuse_strange(page, path, strange)
    samples = stored_samples(content, page, path)[..., : page.colours]
    if page.photometric == CMYK:
        return np.array(Image.fromarray(np.ascontiguousarray(samples), "CMYK").convert("RGB"))
    if page.palette is not None:
        return _colours(page.palette, samples[..., 0])
    grey = page.colours == 1
    shades = _eight_bits(samples, value_bits(samples, page) if grey else page.bits)
    if page.photometric == WHITE_IS_ZERO:
        np.subtract(255, shades, out=shades)
    return np.repeat(shades, 3, axis=2) if grey else np.ascontiguousarray(shades)


def value_bits(samples: NDArray, page: StoredPage) -> int:
    """How many bits grey values have: cameras of 12 bits write them as 16, of which only 16 shades would be left."""
    return 12 if page.bits == 16 and samples.max() < 1 << 12 else page.bits


def _colours(palette: NDArray[np.uint8], numbers: NDArray) -> NDArray[np.uint8]:
    every = np.zeros((256, 3), np.uint8)
    every[: len(palette)] = palette[:256]
    return every[numbers]


def _eight_bits(samples: NDArray, bits: int) -> NDArray[np.uint8]:
    if bits == 8:
        return np.array(samples, np.uint8)
    if bits > 8:
        return (samples >> (bits - 8)).astype(np.uint8)
    highest = (1 << bits) - 1
    return np.rint(np.arange(highest + 1) * (255 / highest)).astype(np.uint8)[samples]
