"""Mask files as they are stored, before anything is known of their labels: numbers, a palette's numbers, or colours.

Alpha is dropped. What tells viewers how to show an image does not count: an EXIF rotation, or that white is zero.
"""

from __future__ import annotations

import io
import struct
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile

from otx_seg.errors import DataError
from otx_seg.runtime.image_headers import OF_EMPTY_MASKS, ImageHeader, open_header, read_bytes
from otx_seg.runtime.images import imdecode, load, verify_png
from otx_seg.runtime.tiff import CMYK, StoredPage
from otx_seg.runtime.tiff_pixels import refuse_unsupported, stored_samples

ARRAY_SUFFIX = ".npy"
"""Of masks that are no images but arrays of NumPy."""

_ADVICE = "save the mask as 8-bit grey, palette or RGB PNG"
_ARRAY = b"\x93NUMPY"
_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_PNG_BIT_DEPTH, _PNG_COLOR_TYPE = 24, 25  # byte positions in a PNG file
_MANY, _FAR = 64, 48  # colours of a mask, and how far apart those are that are named
_PNG_GREY, _PNG_RGB = 0, 2


class MaskContentError(DataError):
    """A mask file that is valid but cannot be this data set's: a value or colour that is no label, say."""


class StoredMask(NamedTuple):
    """A mask file as it is stored.

    Attributes:
        pixels: whole numbers (H, W), of a palette if there is one, or uint8 (H, W, 3) of a colour mask, blue first.
        palette: uint8 (N, 3) RGB.
    """

    pixels: NDArray
    palette: NDArray[np.uint8] | None


def stored_mask(path: str | Path) -> StoredMask:
    """A mask file as it is stored.

    Args:
        path: a file in a format that images come in, a page of a TIFF (see `file_and_page`), or a two-dimensional array
            of whole numbers as NumPy saves it.

    Raises:
        MaskContentError: a kind of pixel that masks cannot have.
        DataError: the file cannot be read or is damaged.
    """
    return decode_stored(read_bytes(path), path)


def mask_size(path: str | Path) -> tuple[int, int]:
    """(height, width) that the header of a mask file names; nothing is decoded.

    Raises:
        MaskContentError: no mask.
        DataError: the file cannot be read or its header is damaged.
    """
    size = _png_size(path)  # of most masks, in a tenth of the time
    if size is not None:
        return size
    content = read_bytes(path)
    if content.startswith(_ARRAY):
        return _array_header(content, path)[1]
    header = open_header(content, path, OF_EMPTY_MASKS)
    return header.height, header.width


def _png_size(path: str | Path) -> tuple[int, int] | None:
    """(height, width) of a PNG; None of any other file."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123  (see `read_bytes`)
            head = file.read(24)
    except OSError:
        return None
    if len(head) < 24 or not head.startswith(_PNG):
        return None
    width, height = struct.unpack(">II", head[16:])
    return height, width


def verify_mask_file(path: str | Path) -> None:
    """Check a PNG file's checksums, which decoders pass over; other formats are checked by decoding them.

    Raises:
        DataError: the file cannot be read or is damaged.
    """
    content = read_bytes(path)
    if content.startswith(_PNG):
        verify_png(open_header(content, path, OF_EMPTY_MASKS), path)


def decode_stored(content: bytes, path: str | Path) -> StoredMask:
    """As `stored_mask`, from the content of the file."""
    if content.startswith(_ARRAY):
        return StoredMask(_array(content, path), None)
    header = open_header(content, path, OF_EMPTY_MASKS)
    if header.page is not None:
        return _from_tiff(content, header.page, path)
    if header.format == "PNG" and content[_PNG_BIT_DEPTH] == 8 and content[_PNG_COLOR_TYPE] in (_PNG_GREY, _PNG_RGB):
        pixels = None
        if b"IEND" in content[-16:]:  # without its end the file is truncated, which OpenCV may not report
            pixels = imdecode(content, cv2.IMREAD_UNCHANGED)
        if pixels is not None and (pixels.ndim == 2 or pixels.shape[2] == 3):
            return StoredMask(pixels, None)
    assert header.image is not None
    return _from_pillow(load(header.image, path, "mask"), header, content, path)


def _array_header(content: bytes, path: str | Path) -> tuple[np.dtype, tuple[int, int], bool, int]:
    """Type and (height, width) of a saved array, whether its columns come first, and where its numbers begin."""
    file = io.BytesIO(content)
    try:
        read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
        major, _ = np.lib.format.read_magic(file)
        shape, by_columns, kind = read[min(2, major)](file)
    except (ValueError, EOFError, KeyError, TypeError, SyntaxError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the array's header is damaged ({error})") from error
    if kind.kind not in "bui" or len(shape) != 2:
        sides = " x ".join(map(str, shape)) or "one number"
        raise MaskContentError(f"{path}: an array of {kind} ({sides}); save integers (height x width)")
    if min(shape) < 1:
        raise MaskContentError(f"{path}: an empty array ({shape[0]} x {shape[1]})")
    return kind, (shape[0], shape[1]), by_columns, file.tell()


def _array(content: bytes, path: str | Path) -> NDArray:
    kind, shape, by_columns, start = _array_header(content, path)
    expected = shape[0] * shape[1] * kind.itemsize
    if len(content) - start < expected:
        raise DataError(f"{path}: the array is truncated ({len(content) - start:,} of {expected:,} bytes)")
    numbers = np.frombuffer(content, kind, shape[0] * shape[1], start)
    pixels = numbers.reshape(shape, order="F" if by_columns else "C")
    return pixels.astype(np.uint8 if kind.kind == "b" else kind.newbyteorder("="), order="C")


def _from_tiff(content: bytes, page: StoredPage, path: str | Path) -> StoredMask:
    whole_numbers = page.kind in "ui" and page.bits in (8, 16, 32)
    grey = page.samples == page.colours == 1
    strange = None if whole_numbers and grey else page.unsupported_reason
    if page.photometric == CMYK:
        strange = "cyan, magenta, yellow and black"
    refuse_unsupported(page, path, strange, _ADVICE, MaskContentError)
    samples = stored_samples(content, page, path)
    if page.colours == 3:
        return StoredMask(np.ascontiguousarray(_eight_bits(samples, page, path)[..., 2::-1]), None)
    return StoredMask(np.ascontiguousarray(samples[..., 0]), page.palette)


def _eight_bits(samples: NDArray, page: StoredPage, path: str | Path) -> NDArray:
    """Colours of 16 bits that were made of 8: their two bytes are equal, or the lower one is 0."""
    if page.bits == 8:
        return samples
    low, high = samples & 255, samples >> 8
    if page.bits == 16 and ((low == high).all() or not low.any()):
        return high.astype(np.uint8)
    raise MaskContentError(f"{path}: a colour mask with {page.bits} bits per channel; save it with 8")


def _from_pillow(image: ImageFile.ImageFile, header: ImageHeader, content: bytes, path: str | Path) -> StoredMask:
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
        # Writers fill the palette up with black; only the first black of such a tail can be meant.
        other = np.flatnonzero(palette.any(axis=1))
        return StoredMask(np.asarray(image), palette[: other[-1] + 2 if len(other) else 1])
    if image.mode in ("1", "L", "LA"):
        grey = np.asarray(image.getchannel(0)).astype(np.uint8)
        return StoredMask(grey // _grey_step(image, header, content), None)
    if image.mode in ("RGB", "RGBA"):
        if header.format == "PNG" and content[_PNG_BIT_DEPTH] == 16:
            raise MaskContentError(f"{path}: a colour mask with 16 bits per channel; save it with 8")
        return StoredMask(np.ascontiguousarray(np.asarray(image)[:, :, 2::-1]), None)
    if image.mode.startswith("I"):
        return StoredMask(np.asarray(image), None)
    raise MaskContentError(f"{path}: a mask of pixel type {image.mode}; {_ADVICE}")


def _grey_step(image: ImageFile.ImageFile, header: ImageHeader, content: bytes) -> int:
    """What one step of the stored value adds to the decoded one: 2- and 4-bit grey is stretched to 0-255."""
    if header.format == "PNG" and image.mode == "L" and content[_PNG_BIT_DEPTH] < 8:
        return 255 // (2 ** content[_PNG_BIT_DEPTH] - 1)
    return 1


def frequent_colors(paths: Sequence[str], most: int = 5) -> list[tuple[int, ...]]:
    """A few colours that many pixels of some masks have, far from each other, the most frequent first."""
    counts: Counter[tuple[int, ...]] = Counter()
    for path in paths:
        pixels = stored_mask(path).pixels
        shades = pixels[:, :, ::-1] if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
        found, numbers = np.unique(shades.reshape(-1, 3), axis=0, return_counts=True)
        for place in np.argsort(-numbers)[:_MANY]:
            counts[tuple(found[place].tolist())] += int(numbers[place])
    chosen: list[tuple[int, ...]] = []
    for color, _ in counts.most_common():
        if all(max(abs(a - b) for a, b in zip(color, other, strict=True)) > _FAR for other in chosen):
            chosen.append(color)
    return chosen[:most]
