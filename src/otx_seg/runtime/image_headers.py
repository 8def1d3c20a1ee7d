"""What an image file is, by its first bytes, and what its header says of it; nothing is decoded here.

The header is read with Pillow's class for just that format, so that no other decoder of Pillow can be reached, and of
TIFF by `otx_seg.runtime.tiff`. An image that claims more than its file can hold is refused.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from otx_seg.errors import DataError
from otx_seg.runtime.tiff import SIGNATURES, StoredPage, read_page

MAX_PIXELS = 500_000_000
"""An image whose header claims more pixels is refused before anything is decoded. (Of the unusual kinds Pillow itself
takes no more than 179 million.)"""

_PIXELS_OF_ANY_FILE, _PIXELS_PER_BYTE = 16_000_000, 1_100
"""What a file may claim: so many pixels, and so many for each byte of it, as a PNG of 8 bits has that is all black."""

OF_EMPTY_MASKS = 8_200
"""Pixels per byte of a PNG of one bit that is all black: a mask may be, since it cannot be larger than its image."""

# What Pillow's format classes raise on files that are not what they say: found by reading the classes, and the
# same list that its own open() expects, plus what truncated and bit-flipped files gave.
UNREADABLE = (
    *(OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, OverflowError, EOFError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)

_PAGE = re.compile(r"(.+\.tiff?)#(\d{1,9})", re.IGNORECASE | re.DOTALL)
_CLASSES = {
    b"\xff\xd8\xff": JpegImagePlugin.JpegImageFile,
    b"\x89PNG\r\n\x1a\n": PngImagePlugin.PngImageFile,
    b"BM": BmpImagePlugin.BmpImageFile,
    b"GIF87a": GifImagePlugin.GifImageFile,
    b"GIF89a": GifImagePlugin.GifImageFile,
    b"RIFF": WebPImagePlugin.WebPImageFile,
}
_FOREIGN = {
    **{b"heic": "HEIC", b"heix": "HEIC", b"hevc": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF", b"avif": "AVIF"},
    **{b"avis": "AVIF", b"crx ": "Canon's raw format CR3"},
}


@dataclass(frozen=True)
class ImageHeader:
    """What a file says of its image.

    Attributes:
        format: as Pillow calls it: JPEG, MPO, PNG, BMP, DIB, GIF, TIFF or WEBP.
        height, width: in pixels, as stored.
        image: Pillow's image, not decoded yet; None of a TIFF.
        page: how a TIFF stores it; None of all others.
    """

    format: str
    height: int
    width: int
    image: ImageFile.ImageFile | None = None
    page: StoredPage | None = None


def file_and_page(path: str | Path) -> tuple[str, int | None]:
    """The file that a page of it is called after, and the number of the page: ``a.tif#2`` is the second one of a.tif.

    Any other path is a file's, without a number.
    """
    found = _PAGE.fullmatch(str(path))
    return (found[1], int(found[2])) if found else (str(path), None)


def read_bytes(path: str | Path) -> bytes:
    """The content of a file; of a page's path, of the file that holds it.

    Raises:
        DataError: it is missing, may not be read, or is empty.
    """
    try:
        # Without a Path, which takes a twentieth of the time of looking at a small image.
        with open(file_and_page(path)[0], "rb") as file:  # noqa: PTH123
            content = file.read()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if not content:
        raise DataError(f"{path}: the file is empty")
    return content


def open_header(content: bytes, path: str | Path, pixels_per_byte: int = _PIXELS_PER_BYTE) -> ImageHeader:
    """The header of the image in `content`; nothing is decoded.

    Args:
        content: the whole file.
        path: the file's name for messages, and of which page of it the header is.
        pixels_per_byte: of a large image.

    Raises:
        DataError: no supported image format, a damaged header, several images in one, or more pixels than `MAX_PIXELS`
            or than such a file can hold.
    """
    if content.startswith(SIGNATURES):
        page = read_page(content, file_and_page(path)[1], path)
        for width, height in ((page.width, page.height), page.segment[::-1]):
            _check_claim(width, height, len(content) * pixels_per_byte, path)
        return ImageHeader("TIFF", page.height, page.width, page=page)
    image_class = _image_class(content)
    if image_class is None:
        raise DataError(_no_image(content, path))
    try:
        image = image_class(io.BytesIO(content))
        _check_claim(*image.size, len(content) * pixels_per_byte, path)
        frames = getattr(image, "n_frames", 1) if image.format in ("GIF", "WEBP") else 1
    except UNREADABLE as error:
        raise DataError(f"{path}: the image's header is damaged ({error})") from error
    if frames > 1:
        raise DataError(f"{path}: an animation of {frames} frames; save those that matter as PNG, one file each")
    return ImageHeader(image.format or "", image.height, image.width, image)


def is_image(path: Path) -> bool:
    """Whether a file begins like an image of a supported format; False if it cannot be read."""
    try:
        with Path(file_and_page(path)[0]).open("rb") as file:
            head = file.read(16)
    except OSError:
        return False
    return head.startswith(SIGNATURES) or _image_class(head) is not None


def _image_class(content: bytes) -> type[ImageFile.ImageFile] | None:
    if content.startswith(b"RIFF") and content[8:12] != b"WEBP":
        return None
    return next((image_class for start, image_class in _CLASSES.items() if content.startswith(start)), None)


def _no_image(content: bytes, path: str | Path) -> str:
    foreign = _FOREIGN.get(content[8:12]) if content[4:8] == b"ftyp" else None
    if content.startswith((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")):
        foreign = "JPEG 2000"
    if foreign:
        return f"{path}: {foreign}, which is not read; save the image as PNG or JPEG"
    return f"{path}: not an image (its content is neither JPEG, PNG, BMP, GIF, TIFF nor WebP)"


def _check_claim(width: int, height: int, credible: int, path: str | Path) -> None:
    """
    Raises:
        DataError: the image has more pixels than are read, or than are `credible`, for a file of its size.
    """
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{path}: the header claims {width} x {height} pixels, more than the {MAX_PIXELS // 1_000_000} million "
            "that are read; cut the image into tiles"
        )
    if width * height > _PIXELS_OF_ANY_FILE + credible:
        raise DataError(
            f"{path}: the header claims {width} x {height} pixels, which so small a file cannot hold unless it is "
            "almost empty; save it as 8-bit PNG if it is intact"
        )
