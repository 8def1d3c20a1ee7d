"""The samples of a TIFF page, whatever their bits, planes, strips and tiles, and what they look like to viewers.

Strips and tiles are put together here. What is in them is unpacked by zlib, or by libtiff, to which Pillow hands each
as a file of its own: whatever the whole file is like, the decoder sees one strip of an ordinary one.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from otx_seg.errors import DataError
from otx_seg.runtime.tiff import (
    BLACK_IS_ZERO,
    CMYK,
    FAX,
    JPEG,
    LZW,
    PALETTE,
    RGB,
    UNCOMPRESSED,
    WHITE_IS_ZERO,
    YCBCR,
    StoredPage,
)

_DEFLATE = (8, 32946)
_PACK_BITS = 32773
_BY_LIBTIFF = {LZW: "LZW", _PACK_BITS: "PackBits", 34925: "LZMA", 50000: "Zstandard"}
_PLAIN, _DIFFERENCES = 1, 2  # predictors
_WITH_PREDICTOR = (LZW, *_DEFLATE, 34925, 50000)
"""Compressions with which all programs heed the predictor; with packed bits some do, with others it means nothing."""

_OTHERS = {6: "old-style JPEG", 33003: "JPEG 2000", 33005: "JPEG 2000", 34712: "JPEG 2000", 50001: "WebP"}
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_NUMBERS_AT_ONCE = 1 << 16
_HEAD = b"II*\0\x08\0\0\0"  # of a file whose tags follow at once
_DAMAGED = (ValueError, OSError, zlib.error, struct.error, OverflowError)


def undecodable(page: StoredPage) -> str | None:
    """What it is about a page that keeps `stored_samples` from reading it; None where nothing does."""
    pixel = f"{page.samples} x {page.bits} bits"
    if page.compression == JPEG:
        channels = 1 if page.planar else page.samples
        known = page.bits == 8 and channels == (1 if page.planar else page.colours) and channels in (1, 3)
        return None if known and page.photometric != PALETTE else f"JPEG compression of {pixel}"
    if page.compression in FAX:
        return None if page.samples == page.bits == 1 else f"fax compression of {pixel}"
    if page.compression not in (UNCOMPRESSED, *_DEFLATE, *_BY_LIBTIFF):
        return f"{_OTHERS.get(page.compression, 'unknown')} compression (number {page.compression})"
    if page.photometric == YCBCR:
        return "luma and chroma without JPEG compression"
    if page.compression == _PACK_BITS and page.predictor != _PLAIN:
        return "PackBits compression of differences, which programs take for two things"
    if page.compression in _WITH_PREDICTOR and page.predictor not in (_PLAIN, _DIFFERENCES):
        return f"an unknown predictor (number {page.predictor})"
    if page.bits not in (8, 16, 32, 64) and (page.bits > 16 or page.predictor != _PLAIN or page.kind != "u"):
        return f"{page.bits}-bit samples"
    return None


def stored_samples(content: bytes, page: StoredPage, path: str | Path) -> NDArray:
    """All samples of a page.

    Args:
        content: the whole file.
        page: of integers, for which there is nothing `undecodable`.
        path: the file's name for messages.

    Returns:
        integers (H, W, S) of 8 to 64 bits; of luma and chroma, RGB.

    Raises:
        DataError: the file is truncated or damaged.
    """
    bits = next(size for size in (8, 16, 32, 64) if page.bits <= size)
    samples = np.zeros((page.height, page.width, page.samples), f"{page.kind}{bits // 8}")
    height, width = page.segment
    down, across = -(-page.height // height), -(-page.width // width)
    channels = 1 if page.planar else page.samples
    lengths = page.lengths
    if page.compression == UNCOMPRESSED and len(lengths) != len(page.offsets):  # old files leave them out
        lengths = (len(content),) * len(page.offsets)
    if min(len(page.offsets), len(lengths)) < down * across * (page.samples if page.planar else 1):
        raise DataError(f"{path}: the image is truncated or damaged (parts of it are not in the file)")
    for number in range(down * across * (page.samples // channels)):
        plane, place = divmod(number, down * across)
        top, left = place // across * height, place % across * width
        rows = height if page.tiled else min(height, page.height - top)
        if not lengths[number]:
            continue  # a part without any values, 0 all over, is not stored
        start = page.offsets[number]
        try:
            part = _part(content[start : start + lengths[number]], page, rows, channels)
        except Image.DecompressionBombError as error:
            raise DataError(
                f"{path}: a strip of {rows} x {width} pixels is too large; save it in smaller ones"
            ) from error
        except _DAMAGED as error:
            raise DataError(f"{path}: the image is truncated or damaged ({error})") from error
        part = part[: page.height - top, : page.width - left]
        bottom, right = top + part.shape[0], left + part.shape[1]
        samples[top:bottom, left:right, plane : plane + channels] = part
    return samples


def _part(stored: bytes, page: StoredPage, rows: int, channels: int) -> NDArray:
    """A strip or tile, (rows, width, channels)."""
    width = page.segment[1]
    if page.compression == JPEG or page.compression in FAX:
        kind = BLACK_IS_ZERO if channels == 1 else page.photometric
        picture = _by_libtiff(stored, page, (rows, width), channels, kind)
        return np.asarray(picture).astype(np.uint8).reshape(rows, width, channels)
    numbers = width * channels  # of a row
    values = _unpacked(_unfolded(stored, page, rows, -(-numbers * page.bits // 8)), page, rows, numbers)
    values = values.reshape(rows, width, channels)
    if page.predictor == _DIFFERENCES and page.compression in _WITH_PREDICTOR:
        np.cumsum(values, axis=1, dtype=values.dtype, out=values)
    return values


def _unfolded(stored: bytes, page: StoredPage, rows: int, row_bytes: int) -> bytes:
    """`rows` x `row_bytes` bytes without compression. Raises one of `_DAMAGED` where they are missing."""
    size = rows * row_bytes
    if page.reversed_bits:
        stored = stored.translate(_REVERSED)
    if page.compression in _DEFLATE:
        stored = zlib.decompressobj().decompress(stored, size)
    elif page.compression in _BY_LIBTIFF:
        stored = _by_libtiff(stored, page, (rows, row_bytes), 1, BLACK_IS_ZERO).tobytes()
    if len(stored) < size:
        raise ValueError(f"a part of {size} bytes ends after {len(stored)}")
    return stored[:size]


def _by_libtiff(
    stored: bytes, page: StoredPage, size: tuple[int, int], channels: int, photometric: int
) -> TiffImagePlugin.TiffImageFile:
    """A strip or tile as an image of its own of (rows, columns), with samples of 8 bits, or of 1 if it is a fax."""
    rows, columns = size
    fax = page.compression in FAX
    tags = TiffImagePlugin.ImageFileDirectory_v2(_HEAD)
    tags.update({256: columns, 257: rows, 258: (1 if fax else 8,) * channels, 259: page.compression, 262: photometric})
    tags.update({273: 0, 277: channels, 278: rows, 279: len(stored), **dict(page.fax_options)})  # 273: behind the tags
    if fax and page.reversed_bits:
        tags[266] = 2
    if photometric == YCBCR:
        tags[530] = page.subsampling
    if page.jpeg_tables:
        tags[347] = page.jpeg_tables
    try:
        image = TiffImagePlugin.TiffImageFile(io.BytesIO(_HEAD + tags.tobytes(len(_HEAD)) + stored))
        image.load()
    except (SyntaxError, TypeError, KeyError, IndexError, EOFError) as error:
        raise ValueError(str(error)) from error
    return image


def _unpacked(stored: bytes, page: StoredPage, rows: int, numbers: int) -> NDArray:
    """(rows, numbers) of 8 bits and more, native and writable."""
    if page.bits in (8, 16, 32, 64):
        order = "<" if page.little else ">"
        values = np.frombuffer(stored, f"{order}{page.kind}{page.bits // 8}").reshape(rows, numbers)
        return values.astype(values.dtype.newbyteorder("="))
    # Packed from the highest bit on, in either byte order; each row begins with a byte of its own.
    values = np.empty((rows, numbers), np.uint8 if page.bits < 8 else np.uint16)
    packed = np.frombuffer(stored, np.uint8).reshape(rows, -1)
    worth = (1 << np.arange(page.bits)[::-1]).astype(values.dtype)
    step = max(1, _NUMBERS_AT_ONCE // numbers)
    for top in range(0, rows, step):
        bits = np.unpackbits(packed[top : top + step], axis=1)[:, : numbers * page.bits]
        values[top : top + step] = bits if page.bits == 1 else bits.reshape(-1, numbers, page.bits) @ worth
    return values


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


def refuse_unsupported(
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
    strange = page.unsupported_reason
    if strange is None and page.photometric == CMYK and page.bits != 8:
        strange = f"{page.bits}-bit CMYK samples"
    if strange is None and page.photometric == PALETTE and (page.palette is None or page.bits > 8):
        strange = f"{page.bits}-bit palette numbers"
    refuse_unsupported(page, path, strange)
    samples = stored_samples(content, page, path)[..., : page.colours]
    if page.photometric == CMYK:
        return np.array(Image.fromarray(np.ascontiguousarray(samples), "CMYK").convert("RGB"))
    if page.palette is not None:
        return _colours(page.palette, samples[..., 0])
    grey = page.colours == 1
    shades = _eight_bits(samples, value_bits(samples, page.bits) if grey else page.bits)
    if page.photometric == WHITE_IS_ZERO:
        np.subtract(255, shades, out=shades)
    return np.repeat(shades, 3, axis=2) if grey else np.ascontiguousarray(shades)


def value_bits(values: NDArray, stored: int) -> int:
    """How many of their `stored` bits grey values have: cameras of 12 bits write 16, which would leave 16 shades."""
    return 12 if stored == 16 and values.max() < 1 << 12 else stored


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
