"""How the pages of a TIFF file are stored, read by `tifffile`: a decoder is trusted only with what is known of them.

A page is an image of the file's own. Images reduced in size and transparency masks, which TIFF keeps in the same list,
are none.
"""

from __future__ import annotations

import io
import logging
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import DataError

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
UNCOMPRESSED, FAX, LZW, JPEG = 1, (2, 3, 4), 5, 7

_UNDAMAGED = "II*\0", "MM\0*", "II+\0", "MM\0+"
SIGNATURES = tuple(text.encode() for text in _UNDAMAGED)
"""What a TIFF file begins with: byte order, then 42, or 43 for one with offsets of 64 bits."""

# What tifffile raises on damaged and hostile files, found by damaging thousands of them; its own error is a ValueError.
UNREADABLE = (
    *(OSError, ValueError, TypeError, KeyError, IndexError, OverflowError, EOFError, AttributeError),
    *(struct.error, ZeroDivisionError, MemoryError, RecursionError, RuntimeError),
)

_REDUCED, _TRANSPARENCY = 1, 4  # bits of NewSubfileType
_ALPHA = ((1,), (2,))  # of ExtraSamples: multiplied into the colours or not
_CHANNELS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3}
_OTHER_COLOURS = {
    **{4: "a transparency mask", 8: "CIELAB colours", 9: "ICC L*a*b* colours", 10: "ITU L*a*b* colours"},
    **{32803: "the raw samples of a camera's sensor", 32844: "logarithmic values", 32845: "logarithmic colours"},
    34892: "the raw samples of a camera's sensor",
}
_KINDS = {1: "u", 2: "i", 3: "f", 4: "u", 5: "c", 6: "c"}  # of SampleFormat
_COLOURS, _SAMPLES, _BITS = 262, 277, 258


@dataclass(frozen=True)
class StoredPage:
    """A page as its tags describe it.

    Attributes:
        directory: its place in the file's list of images, from 0 on.
        height, width: in pixels, as stored.
        samples: numbers per pixel.
        bits: of each of them.
        kind: ``u``, ``i`` or ``f``: integers without and with a sign, or fractions; ``c``: complex.
        photometric: what the samples mean, as TIFF numbers it.
        planar: whether each sample has a plane of its own, one after the other.
        compression: as TIFF numbers it.
        predictor: as TIFF numbers it; 2: each number is the difference to the one before it in its row.
        extra: what the samples behind the colours are; None where nothing says it.
        orientation: as EXIF numbers it.
        palette: uint8 (N, 3) RGB, or None.
        segment: (height, width) of a strip or tile.
        tiled: whether these are tiles, which are as large at the edges as elsewhere.
        offsets, lengths: where strips or tiles lie in the file, in bytes.
        little: whether the least byte of a number comes first.
        reversed_bits: whether the first bit of a byte is its lowest.
        jpeg_tables: what the parts of a JPEG have in common.
        subsampling: pixels across and down that share their chroma.
        fax_options: of the fax compressions, by tag.
    """

    directory: int
    height: int
    width: int
    samples: int
    bits: int
    kind: str
    photometric: int
    planar: bool
    compression: int
    predictor: int
    extra: tuple[int, ...] | None
    orientation: int
    palette: NDArray[np.uint8] | None
    segment: tuple[int, int]
    tiled: bool
    offsets: tuple[int, ...]
    lengths: tuple[int, ...]
    little: bool
    reversed_bits: bool
    jpeg_tables: bytes
    subsampling: tuple[int, int]
    fax_options: tuple[tuple[int, int], ...]

    @property
    def colours(self) -> int:
        """Samples that are colours or grey values; the others are alpha, where `unsupported_reason` finds nothing."""
        return _CHANNELS.get(self.photometric, self.samples)

    @property
    def unsupported_reason(self) -> str | None:
        """What it is, where it is neither grey, palette, RGB nor CMYK, each perhaps with alpha; else None."""
        if self.photometric not in _CHANNELS:
            return _OTHER_COLOURS.get(self.photometric, f"colours of the unknown kind {self.photometric}")
        # Some programs leave out what the fourth is: readers agree that it is alpha then.
        unsaid = self.photometric == RGB and self.samples == 4 and self.extra is None
        more = self.samples - self.colours
        if more < 0 or (more and not unsaid and not (more == 1 and self.extra in _ALPHA)):
            return f"{self.samples} channel{'s' if self.samples > 1 else ''}, {_meant(self)}"
        if self.kind != "u" or self.bits > 16:
            names = {"u": "", "i": " signed", "f": " floating-point", "c": " complex"}
            return f"{self.bits}-bit{names[self.kind]} samples"
        return None


def _meant(page: StoredPage) -> str:
    names = {RGB: "red, green and blue", CMYK: "cyan, magenta, yellow and black", YCBCR: "luma and chroma"}
    first = names.get(page.photometric, "a palette's numbers" if page.photometric == PALETTE else "grey")
    if page.samples < page.colours:
        return f"too few for {first}"
    return f"of which only {first} {'is' if page.colours == 1 else 'are'} named"


def count_pages(file: BinaryIO | str | Path) -> int:
    """How many pages a file has, without reading their pixels; 1 also where that cannot be told: decoding will tell."""
    try:
        return max(1, len(_directories(file)))
    except UNREADABLE:
        return 1


def read_page(content: bytes, number: int | None, path: str | Path) -> StoredPage:
    """How a page is stored.

    Args:
        content: the whole file.
        number: of the page, from 1 on; None: the only one.
        path: the file's name for messages.

    Raises:
        DataError: there is no such page, there are several and none is named, or the tags are damaged.
    """
    try:
        pages = _directories(io.BytesIO(content))
        if number is None and len(pages) > 1:
            raise DataError(
                f"{path}: holds {len(pages)} pages, and which is meant is not clear; name one of them ({path}#1), or "
                "save each as a file of its own"
            )
        if (number or 1) > len(pages):
            raise DataError(f"{path}: there is no such page, the file has {len(pages)}" if pages else _damaged(path))
        return _described(*pages[(number or 1) - 1], little=content[:2] == b"II")
    except UNREADABLE as error:
        raise DataError(_damaged(path, error)) from error


def tags_of(file: BinaryIO | str | Path, number: int) -> Any:
    """All tags of a page, as tifffile gives them.

    Args:
        number: of the page, from 1 on.

    Raises:
        Exception: one of `UNREADABLE`, where they are damaged or there is no such page.
    """
    return _directories(file)[number - 1][1]


def _damaged(path: str | Path, reason: object = "no image in it") -> str:
    return f"{path}: the image's header is damaged ({reason})"


def _directories(file: BinaryIO | str | Path) -> list[tuple[int, Any]]:
    """The pages: their places among the file's directories, and their tags."""
    # tifffile logs what it dislikes; what matters of it is told by whoever reads.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)
    import tifffile  # most data sets have no TIFF

    with tifffile.TiffFile(file) as opened:
        found = [(place, page.tags, int(page.subfiletype)) for place, page in enumerate(opened.pages)]
    pages = [(place, tags) for place, tags, kind in found if not kind & (_REDUCED | _TRANSPARENCY)]
    return pages or [(place, tags) for place, tags, _ in found[:1]]


def _described(directory: int, tags: Any, little: bool) -> StoredPage:
    height, width = _number(tags, 257), _number(tags, 256)
    tiled = 322 in tags
    segment = (_number(tags, 323), _number(tags, 322)) if tiled else (min(height, _number(tags, 278, height)), width)
    compression = _number(tags, 259, 1)
    samples = _number(tags, _SAMPLES, 1)
    extra = _numbers(tags, 338)
    photometric = _number(tags, _COLOURS, BLACK_IS_ZERO)
    if min(height, width, samples, *segment) < 1:
        raise ValueError("a side of 0 pixels")
    bits = _same(tags, _BITS, 1, "bits")
    return StoredPage(
        *(directory, height, width, samples, bits, _KINDS[_same(tags, 339, 1, "kinds")], photometric),
        planar=_number(tags, 284, 1) == 2 and samples > 1,
        compression=compression,
        predictor=_number(tags, 317, 1),
        extra=extra or None,
        orientation=_number(tags, 274, 1),
        palette=_palette(tags) if photometric == PALETTE else None,
        segment=segment,
        tiled=tiled,
        offsets=_numbers(tags, 324 if tiled else 273),
        lengths=_numbers(tags, 325 if tiled else 279),
        little=little,
        reversed_bits=_number(tags, 266, 1) == 2,
        jpeg_tables=bytes(tags.valueof(347, b"")) if compression == JPEG else b"",
        subsampling=(_number(tags, 530, 2), (_numbers(tags, 530) or (2, 2))[-1]),
        fax_options=tuple((code, _number(tags, code)) for code in (292, 293) if code in tags),
    )


def _numbers(tags: Any, code: int) -> tuple[int, ...]:
    value = tags.valueof(code, ())
    return tuple(map(int, value if isinstance(value, bytes) else np.ravel(value).tolist()))


def _number(tags: Any, code: int, default: int | None = None) -> int:
    found = _numbers(tags, code)
    if not found and default is None:
        raise ValueError(f"tag {code} is missing")
    return found[0] if found else int(default or 0)


def _same(tags: Any, code: int, default: int, what: str) -> int:
    """A number that all samples have in common."""
    found = set(_numbers(tags, code)) or {default}
    if len(found) > 1:
        raise ValueError(f"samples of different {what}: {', '.join(map(str, sorted(found)))}")
    return found.pop()


def _palette(tags: Any) -> NDArray[np.uint8]:
    stored = np.array(_numbers(tags, 320)).reshape(3, -1).T
    # Of 16 bits by the standard; some programs write 8.
    return (stored if stored.max() < 256 else stored >> 8).astype(np.uint8)
