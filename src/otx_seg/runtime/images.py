"""Reading image files that may be large, odd, damaged or hostile.

The header is read first, see `otx_seg.runtime.image_headers`. Ordinary JPEG, PNG and TIFF files are then decoded by
OpenCV, which is about twice as fast as Pillow into an array and needs a third of the memory; other TIFF files by
`otx_seg.runtime.tiff_pixels`; all else by Pillow.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile

from otx_seg.errors import DataError
from otx_seg.runtime.image_headers import UNREADABLE, ImageHeader, file_and_page, open_header, read_bytes
from otx_seg.runtime.silence import opencv_silenced
from otx_seg.runtime.tiff_pixels import opencv_reads, stored_samples, tiff_image, value_bits

_EXIF_ORIENTATION = 0x0112
_ROWS_AT_ONCE = 1024
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_PNG_BIT_DEPTH = 24  # byte position
_SIXTEEN_BIT_GREY = ("I;16", "I;16B", "I;16L", "I;16N")


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """An image as viewers show it: EXIF rotation applied, alpha dropped, grey repeated, 16 bit scaled to 8.

    16-bit values map linearly, 0-65535 to 0-255: the low byte is dropped. A grey image without any value above 4095
    is taken for one of 12 bits, 0-4095: else no more than 16 shades would be left of it.

    Args:
        path: a JPEG, PNG, BMP, GIF, TIFF or WebP file, or a page of a TIFF, see `file_and_page`.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        DataError: no image, truncated or damaged, too many pixels, several images, or of a kind that is not read.
    """
    content = read_bytes(path)
    header = open_header(content, path)
    if header.page is not None and opencv_reads(header.page):
        # OpenCV needs room for two copies of a TIFF's pixels: of a large image there is none for the file beside them.
        del content, header
        return _as_rgb_in_place(_read_by_opencv(file_and_page(path)[0]), path)
    return decode_image(content, header, path)


def decode_image(content: bytes, header: ImageHeader, path: str | Path) -> NDArray[np.uint8]:
    """uint8 (H, W, 3) RGB of the file `content` whose header is `header`; see `read_image`."""
    if header.page is not None:
        if opencv_reads(header.page):
            return _as_rgb_in_place(imdecode(content, cv2.IMREAD_COLOR), path)
        return _turned(tiff_image(content, header.page, path), header.page.orientation)
    assert header.image is not None
    if not _is_ordinary(content, header):
        return _as_rgb(load(header.image, path), path)
    if (b"IEND" if header.format == "PNG" else b"\xff\xd9") not in content[-16:]:
        # Some decoders fill the rest of a truncated image with grey and say nothing; Pillow raises. A file that
        # merely has something after its end passes.
        load(header.image, path)
    return _as_rgb_in_place(imdecode(content, cv2.IMREAD_COLOR), path)


def load(image: ImageFile.ImageFile, path: str | Path, what: str = "image") -> ImageFile.ImageFile:
    """The same image, decoded; messages call it `what`.

    Raises:
        DataError: it is truncated or damaged.
    """
    try:
        image.load()
    except UNREADABLE as error:
        raise DataError(f"{path}: the {what} is truncated or damaged ({error})") from error
    return image


def _as_rgb_in_place(pixels: NDArray | None, path: str | Path) -> NDArray[np.uint8]:
    """What OpenCV decoded, (H, W, 3) and blue first, in our order of colours."""
    if pixels is None:
        raise DataError(f"{path}: the image is truncated or damaged; it cannot be decoded")
    # OpenCV copies all of what it is to convert in place.
    for start in range(0, len(pixels), _ROWS_AT_ONCE):
        rows = pixels[start : start + _ROWS_AT_ONCE]
        cv2.cvtColor(rows, cv2.COLOR_BGR2RGB, dst=rows)
    return pixels


def _is_ordinary(content: bytes, header: ImageHeader) -> bool:
    """Whether OpenCV decodes what is no TIFF to what `read_image` promises."""
    if header.image is None or header.format != "PNG":
        return header.format in ("JPEG", "MPO")
    # It turns no PNG, and scales 16 bits of grey in another way.
    return header.image.mode not in _SIXTEEN_BIT_GREY and b"eXIf" not in content


def imdecode(content: bytes, flags: int) -> NDArray | None:
    """What OpenCV decodes from the content of a file, or None where it cannot."""
    return _silently(lambda: cv2.imdecode(np.frombuffer(content, np.uint8), flags))


def _read_by_opencv(path: str | Path) -> NDArray | None:
    """(H, W, 3), blue first, or None where OpenCV cannot."""
    pixels = _silently(lambda: cv2.imread(str(path), cv2.IMREAD_COLOR))
    # On some systems it cannot open files with letters of other scripts in their names.
    return imdecode(read_bytes(path), cv2.IMREAD_COLOR) if pixels is None else pixels


def _silently(decode: Callable[[], NDArray | None]) -> NDArray | None:
    """What a decoder of OpenCV gives, or None."""
    with opencv_silenced():
        try:
            return decode()
        except cv2.error:  # raised for a side longer than OpenCV's limit; None for all other faults
            return None


def _turned(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Pixels as they are stored, as viewers show them."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    down = -1 if orientation in (3, 4, 7, 8) else 1
    across = -1 if orientation in (2, 3, 6, 7) else 1
    return np.ascontiguousarray(pixels[::down, ::across])


def _as_rgb(image: ImageFile.ImageFile, path: str | Path) -> NDArray[np.uint8]:
    if image.mode in ("I", "F"):
        raise DataError(f"{path}: 32-bit samples; save the image with 8 or 16 bits per channel")
    if image.mode in _SIXTEEN_BIT_GREY:
        values = np.asarray(image)
        pixels = np.repeat((values >> (value_bits(values, 16) - 8)).astype(np.uint8)[:, :, None], 3, axis=2)
    else:
        pixels = np.array(image.convert("RGB"))
    return _turned(pixels, _orientation(image))


def grey_bits(path: str | Path) -> int | None:
    """How many bits `read_image` takes the values of a grey image with 16 bits per pixel to have: 12 or 16.

    None for all other images.

    Raises:
        DataError: as `read_image`.
    """
    content = read_bytes(path)
    if content.startswith(_JPEG) or (
        content.startswith(_PNG) and content[_PNG_BIT_DEPTH : _PNG_BIT_DEPTH + 1] != b"\x10"
    ):
        return None  # most images, without another look at their headers
    header = open_header(content, path)
    page = header.page
    if page is not None:
        is_grey = page.bits == 16 and page.colours == 1 and not page.unsupported_reason
        return value_bits(stored_samples(content, page, path)[..., 0], 16) if is_grey else None
    if header.image is None or header.image.mode not in _SIXTEEN_BIT_GREY:
        return None
    return value_bits(np.asarray(load(header.image, path)), 16)


def verify_image(path: str | Path) -> tuple[int, int]:
    """Check that the whole image can be decoded, as cheaply as its format allows.

    A JPEG is decoded at an eighth of its size, which reads all of its stream; the chunks of a PNG are checked by
    their checksums without decoding; the rare formats are decoded.

    Returns:
        (height, width) in pixels of the image `read_image` gives.

    Raises:
        DataError: as `read_image`.
    """
    content = read_bytes(path)
    header = open_header(content, path)
    if header.format == "PNG" and b"eXIf" not in content:
        verify_png(header, path)
        return header.height, header.width
    if header.image is not None and header.format in ("JPEG", "MPO"):
        turned = _orientation(header.image) in (5, 6, 7, 8)
        header.image.draft("L", (1, 1))
        load(header.image, path)
        return (header.width, header.height) if turned else (header.height, header.width)
    pixels = decode_image(content, header, path)
    return pixels.shape[0], pixels.shape[1]


def _orientation(image: ImageFile.ImageFile) -> int:
    try:
        return image.getexif().get(_EXIF_ORIENTATION, 1)
    except UNREADABLE:  # garbage in place of EXIF data; viewers show such an image as it is stored
        return 1


def verify_png(header: ImageHeader, path: str | Path) -> None:
    """Check every chunk of a PNG file against its checksum, and that none is missing at the end.

    Args:
        header: of which nothing can be decoded any more then.

    Raises:
        DataError: the file is truncated or damaged.
    """
    assert header.image is not None
    try:
        header.image.verify()
    except UNREADABLE as error:
        raise DataError(f"{path}: the image is truncated or damaged ({error})") from error
