"""Pixels of an object as annotation tools write them into JSON: small PNG files, and the code of Label Studio's brush.

Whatever a text claims is compared with the size of the image before anything is unpacked.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import DataError
from otx_seg.runtime.images import imdecode, open_header
from otx_seg.runtime.plain_files import number, shown

_PNG_OVERHEAD = 1 << 16  # bytes of a PNG file beyond its pixels
_CHANNELS = 4  # red, green, blue, alpha
_HALF = 128
_SIZE_BITS, _WORD_BITS, _LENGTH_BITS = 32, 5, 4
_COUNTERS = (3, 4, 8, 16)  # bits of the counters of a code that is written, as Label Studio's own converter has them


def png_pixels(text: Any, size: tuple[int, int], deflated: bool = False) -> NDArray[np.bool_]:
    """The object in a PNG file that is written as base64: where it is opaque, or where it is not 0 if nothing is clear.

    Args:
        text: the base64.
        size: (height, width) of the image that the object is in; it cannot be larger.
        deflated: whether zlib has compressed the file once more.

    Returns:
        bool (H, W) of the PNG file's own size.

    Raises:
        ValueError: it is none, is damaged, or has more pixels than the image.
    """
    try:
        content = base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as reason:
        raise ValueError(f"its pixels are no base64 ({reason})") from None
    if deflated:
        content = _inflated(content, _CHANNELS * size[0] * size[1] + _PNG_OVERHEAD)
    try:
        header = open_header(content, "its PNG")
        height, width = header.height, header.width
    except DataError as reason:
        raise ValueError(str(reason)) from None
    if height > size[0] or width > size[1]:
        raise ValueError(f"its PNG has {width} x {height} pixels, more than the image's {size[1]} x {size[0]}")
    pixels = imdecode(content, cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("its PNG is damaged")
    if pixels.ndim == 2:
        return pixels != 0
    return (pixels[:, :, 3] if pixels.shape[2] == _CHANNELS else pixels.max(axis=2)) != 0


def _inflated(content: bytes, most_bytes: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(content, most_bytes)
    except zlib.error as reason:
        raise ValueError(f"its pixels are not compressed by zlib ({reason})") from None
    if not unpacker.eof:
        raise ValueError("its pixels are truncated, or unpack to more than the image has")
    return found


def brush_pixels(codes: Any, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The object in a run-length code of Label Studio's brush: where its stroke is at least half opaque.

    The code is a stream of bits, the highest of each byte first: the number of values (32 bits), the bits of a value
    less one (5), four lengths of counters less one (4 each). Then, until all values are there: one bit that says
    whether a value is repeated, two bits that choose a counter, how many values less one, and the value or the values.
    They are red, green, blue and alpha of each pixel, row by row.

    Args:
        codes: whole numbers from 0 to 255.
        size: (height, width) of the image.

    Returns:
        bool (H, W) of the image's size.

    Raises:
        ValueError: it is no such code, is cut off, or is that of an image of another size.
    """
    expected = _CHANNELS * size[0] * size[1]
    bits = _Bits(_bytes_of(codes))
    total = bits.number(_SIZE_BITS)
    if total != expected:
        raise ValueError(f"its brush code is for {total / _CHANNELS:,.10g} pixels, the image has {size[1]} x {size[0]}")
    word = bits.number(_WORD_BITS) + 1
    if word != 8:
        raise ValueError(f"its brush code has values of {word} bits, not 8")
    values = np.zeros(expected, np.uint8)
    for start, end, run in _runs(bits, expected):
        values[start:end] = run
    return values.reshape(*size, _CHANNELS)[:, :, 3] >= _HALF


def brush_code(lengths: NDArray[np.int64]) -> list[int]:
    """The code that `brush_pixels` reads, of an object that is opaque, with nothing around it.

    Args:
        lengths: of the image's runs of pixels row by row, the first one outside of the object.

    Returns:
        whole numbers from 0 to 255.
    """
    total = _CHANNELS * int(lengths.sum())
    head = [(total, _SIZE_BITS), (8 - 1, _WORD_BITS), *((bits - 1, _LENGTH_BITS) for bits in _COUNTERS)]
    parts = [f"{value:0{bits}b}" for value, bits in head]
    for place, length in enumerate(lengths.tolist()):
        opaque = 255 * (place % 2)
        remaining = _CHANNELS * length
        while remaining:
            counter = next((n for n, bits in enumerate(_COUNTERS) if remaining <= 1 << bits), len(_COUNTERS) - 1)
            values = min(remaining, 1 << _COUNTERS[counter])
            parts.append(f"1{counter:02b}{values - 1:0{_COUNTERS[counter]}b}{opaque:08b}")
            remaining -= values
    bits = "".join(parts)
    count = -(-len(bits) // 8)
    return list(int(bits.ljust(8 * count, "0"), 2).to_bytes(count, "big"))


def _runs(bits: _Bits, total: int) -> Iterator[tuple[int, int, Any]]:
    """Where each run begins and ends, and its value or values."""
    lengths = [bits.number(_LENGTH_BITS) + 1 for _ in range(4)]
    start = 0
    while start < total:
        repeated = bits.number(1)
        end = start + 1 + bits.number(lengths[bits.number(2)])
        if end > total:
            raise ValueError("its brush code has more values than it says")
        yield start, end, bits.number(8) if repeated else bits.bytes(end - start)
        start = end


class _Bits:
    """Numbers out of a stream of bits. Raises ValueError at its end."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place = 0  # in bits

    def number(self, length: int) -> int:
        """The next so many bits."""
        end = self._advance(length)
        last = -(-end // 8)
        chunk = int.from_bytes(self._content[(end - length) // 8 : last], "big")
        return chunk >> (last * 8 - end) & (1 << length) - 1

    def bytes(self, count: int) -> NDArray[np.uint8]:
        """The next so many numbers of 8 bits."""
        end = self._advance(8 * count)
        start = end - 8 * count
        part = np.frombuffer(self._content, np.uint8)[start // 8 : -(-end // 8)]
        return np.packbits(np.unpackbits(part)[start % 8 :][: 8 * count])

    def _advance(self, length: int) -> int:
        self._place += length
        if self._place > 8 * len(self._content):
            raise ValueError("its brush code is truncated")
        return self._place


def _bytes_of(codes: Any) -> bytes:
    if not isinstance(codes, list) or not codes:
        raise ValueError(f"its brush code is {shown(codes)}, not a list of numbers")
    try:
        return bytes(codes)
    except (TypeError, ValueError):
        pass
    for code in codes:
        number(code, 0, 255, "a number of its brush code")
    raise ValueError("its brush code has numbers that are not integers")
