"""Reading image files that may be large, odd, damaged or hostile.

What a file is, is judged by its first bytes, never by its suffix. The header is read first, with Pillow's class
for just that format, so that no other decoder of Pillow can be reached and nothing is allocated for an image
that claims too many pixels. Ordinary JPEG, PNG and TIFF files are then decoded by OpenCV, which is about twice as
fast as Pillow into an array and needs a third of the memory; all else by Pillow.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    Image,
    ImageFile,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from otx_seg.errors import DataError
from otx_seg.runtime.silence import opencv_silenced

MAX_PIXELS = 500_000_000
"""An image whose header claims more pixels is refused before anything is decoded. (Of the unusual kinds of TIFF,
Pillow itself takes no more than 179 million.)"""

# What Pillow's format classes raise on files that are not what they say: found by reading the classes, and the
# same list that its own open() expects, plus what truncated and bit-flipped files gave.
UNREADABLE = (
    *(OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, OverflowError, EOFError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)

_EXIF_ORIENTATION = 0x0112
_BITS_PER_SAMPLE = 258
_LOSSLESS_TIFF = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate")
_ROWS_AT_ONCE = 1024
_SIXTEEN_BIT_GREY = ("I;16", "I;16B", "I;16L", "I;16N")


def read_bytes(path: str | Path) -> bytes:
    """The content of a file.

    Raises:
        DataError: it is missing, may not be read, or is empty.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if not content:
        raise DataError(f"{path}: the file is empty")
    return content


def open_header(content: bytes, path: str | Path) -> ImageFile.ImageFile:
    """The image in `content` with its header read and nothing decoded yet.

    Args:
        content: the whole file.
        path: the file's name for messages.

    Raises:
        DataError: no supported image format, a damaged header, or more than `MAX_PIXELS` pixels.
    """
    image_class = _image_class(content)
    if image_class is None:
        raise DataError(f"{path}: not an image (its content is neither JPEG, PNG, BMP, TIFF nor WebP)")
    try:
        image = image_class(io.BytesIO(content))
    except UNREADABLE as error:
        raise DataError(f"{path}: the image's header is damaged ({error})") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{path}: the header claims {width} x {height} pixels, more than the {MAX_PIXELS // 1_000_000} million "
            "that are read; cut the image into tiles"
        )
    return image


def is_image(path: Path) -> bool:
    """Whether a file begins like an image of a supported format; False if it cannot be read."""
    try:
        with path.open("rb") as file:
            return _image_class(file.read(16)) is not None
    except OSError:
        return False


def _image_class(content: bytes) -> type[ImageFile.ImageFile] | None:
    if content.startswith(b"\xff\xd8\xff"):
        return JpegImagePlugin.JpegImageFile
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImagePlugin.PngImageFile
    if content.startswith(b"BM"):
        return BmpImagePlugin.BmpImageFile
    if content.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return TiffImagePlugin.TiffImageFile
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return WebPImagePlugin.WebPImageFile
    return None


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """An image as viewers show it: EXIF rotation applied, alpha dropped, grey repeated, 16 bit scaled to 8.

    16-bit values map linearly, 0-65535 to 0-255: the low byte is dropped. A grey image without any value above 4095
    is taken for one of 12 bits, 0-4095: else no more than 16 shades would be left of it.

    Args:
        path: a JPEG, PNG, BMP, TIFF or WebP file.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        DataError: no image, truncated or damaged, too many pixels, or samples of more than 16 bits.
    """
    content = read_bytes(path)
    image = open_header(content, path)
    if image.format == "TIFF" and _is_ordinary(content, image):
        # OpenCV needs room for two copies of a TIFF's pixels: of a large image there is none for the file beside them.
        del content, image
        return _as_rgb_in_place(_read_by_opencv(path), path)
    return decode_image(content, image, path)


def decode_image(content: bytes, image: ImageFile.ImageFile, path: str | Path) -> NDArray[np.uint8]:
    """uint8 (H, W, 3) RGB of the file `content` whose header is `image`; see `read_image`."""
    if not _is_ordinary(content, image):
        return _as_rgb(_load(image, path), path)
    if image.format in ("JPEG", "MPO", "PNG") and not _ends_properly(content, image.format):
        # Some decoders fill the rest of a truncated image with grey and say nothing; Pillow raises. A file that
        # merely has something after its end passes.
        _load(open_header(content, path), path)
    return _as_rgb_in_place(imdecode(content, cv2.IMREAD_COLOR), path)


def _as_rgb_in_place(pixels: NDArray | None, path: str | Path) -> NDArray[np.uint8]:
    """What OpenCV decoded, (H, W, 3) and blue first, in our order of colours."""
    if pixels is None:
        raise DataError(f"{path}: the image is truncated or damaged; it cannot be decoded")
    # OpenCV copies all of what it is to convert in place.
    for start in range(0, len(pixels), _ROWS_AT_ONCE):
        rows = pixels[start : start + _ROWS_AT_ONCE]
        cv2.cvtColor(rows, cv2.COLOR_BGR2RGB, dst=rows)
    return pixels


def _is_ordinary(content: bytes, image: ImageFile.ImageFile) -> bool:
    """Whether OpenCV decodes it to what `read_image` promises."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        # OpenCV turns no TIFF, multiplies colours by alpha, and scales 16 bits in another way, those of PNG too.
        eight_bits = image.mode in ("L", "RGB") and set(image.tag_v2.get(_BITS_PER_SAMPLE, ())) == {8}
        return eight_bits and image.info.get("compression") in _LOSSLESS_TIFF and _orientation(image) == 1
    plain_png = image.format == "PNG" and image.mode not in _SIXTEEN_BIT_GREY and b"eXIf" not in content
    return image.format in ("JPEG", "MPO") or plain_png


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


def _ends_properly(content: bytes, file_format: str | None) -> bool:
    return (b"IEND" in content[-16:]) if file_format == "PNG" else (b"\xff\xd9" in content[-16:])


def _load(image: ImageFile.ImageFile, path: str | Path) -> ImageFile.ImageFile:
    try:
        image.load()
    except Image.DecompressionBombError as error:
        raise DataError(
            f"{path}: {image.width} x {image.height} pixels are too many for an image of this kind; save it as TIFF or "
            "PNG, RGB or grey, with 8 bits per channel"
        ) from error
    except UNREADABLE as error:
        raise DataError(f"{path}: the image is truncated or damaged ({error})") from error
    return image


def _upright(image: ImageFile.ImageFile) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except UNREADABLE:  # garbage in place of EXIF data; viewers show such an image as it is stored
        return image


def _as_rgb(image: ImageFile.ImageFile, path: str | Path) -> NDArray[np.uint8]:
    shown = _upright(image)
    if shown.mode in _SIXTEEN_BIT_GREY:
        values = np.asarray(shown)
        return np.repeat((values >> (_bits_of(values) - 8)).astype(np.uint8)[:, :, None], 3, axis=2)
    if shown.mode in ("I", "F"):
        raise DataError(f"{path}: 32-bit samples; save the image with 8 or 16 bits per channel")
    return np.array(shown.convert("RGB"))


def _bits_of(values: NDArray) -> int:
    return 12 if values.max() < 1 << 12 else 16


def grey_bits(path: str | Path) -> int | None:
    """How many bits `read_image` takes the values of a grey image with 16 bits per pixel to have: 12 or 16.

    None for all other images.

    Raises:
        DataError: as `read_image`.
    """
    image = open_header(read_bytes(path), path)
    return _bits_of(np.asarray(_load(image, path))) if image.mode in _SIXTEEN_BIT_GREY else None


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
    image = open_header(content, path)
    if image.format == "PNG" and b"eXIf" not in content:
        width, height = image.size
        verify_png(content, path)
        return height, width
    if image.format in ("JPEG", "MPO"):
        width, height = image.size
        turned = _orientation(image) in (5, 6, 7, 8)
        image.draft("L", (1, 1))
        _load(image, path)
        return (width, height) if turned else (height, width)
    pixels = decode_image(content, image, path)
    return pixels.shape[0], pixels.shape[1]


def _orientation(image: ImageFile.ImageFile) -> int:
    try:
        return image.getexif().get(_EXIF_ORIENTATION, 1)
    except UNREADABLE:
        return 1


def verify_png(content: bytes, path: str | Path) -> None:
    """Check every chunk of a PNG file against its checksum, and that none is missing at the end.

    Raises:
        DataError: the file is truncated or damaged.
    """
    try:
        PngImagePlugin.PngImageFile(io.BytesIO(content)).verify()
    except UNREADABLE as error:
        raise DataError(f"{path}: the image is truncated or damaged ({error})") from error
