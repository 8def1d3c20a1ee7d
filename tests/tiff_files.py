"""TIFF files of every kind, written byte by byte, so that no decoder is tested with its own encoder."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

COMPRESSIONS = {"none": 1, "lzw": 5, "deflate": 8, "packbits": 32773, "jpeg": 7}
PHOTOMETRICS = {"white is zero": 0, "black is zero": 1, "rgb": 2, "palette": 3, "cmyk": 5, "ycbcr": 6}
_SHORT, _LONG, _LONG8 = (3, "H"), (4, "I"), (16, "Q")


def tiff_pages(pages: list[dict], big_endian: bool = False, big: bool = False) -> bytes:
    """A file with these pages, each the arguments of `_page`."""
    order, offset_code, offset_size = ">" if big_endian else "<", "Q" if big else "I", 8 if big else 4
    mark = b"MM" if big_endian else b"II"
    head = mark + (struct.pack(f"{order}HHH", 43, 8, 0) if big else struct.pack(f"{order}H", 42))
    content = bytearray(head + b"\0" * offset_size)
    link = len(head)
    for page in pages:
        segments, tags = _page(big_endian=big_endian, **page)
        offsets = []
        for segment in segments:
            offsets.append(len(content))
            content += segment + b"\0" * (len(segment) % 2)
        tiled = 322 in tags
        tags[324 if tiled else 273] = (_LONG8 if big else _LONG, offsets)
        tags[325 if tiled else 279] = (_LONG8 if big else _LONG, [len(segment) for segment in segments])
        entries = b""
        for code, ((kind, letter), values) in sorted(tags.items()):
            stored = struct.pack(f"{order}{len(values)}{letter}", *values)
            if len(stored) > offset_size:
                place = struct.pack(f"{order}{offset_code}", len(content))
                content += stored + b"\0" * (len(stored) % 2)
            else:
                place = stored.ljust(offset_size, b"\0")
            entries += struct.pack(f"{order}HH{offset_code}", code, kind, len(values)) + place
        content[link : link + offset_size] = struct.pack(f"{order}{offset_code}", len(content))
        content += struct.pack(f"{order}{'Q' if big else 'H'}", len(tags)) + entries
        link = len(content)
        content += b"\0" * offset_size
    return bytes(content)


def tiff_file(samples: np.ndarray, big_endian: bool = False, big: bool = False, **how: object) -> bytes:
    """A file with one page."""
    return tiff_pages([{"samples": samples, **how}], big_endian, big)


def _page(
    samples: np.ndarray,  # (H, W, S)
    bits: int = 8,
    photometric: str = "black is zero",
    compression: str = "none",
    planar: bool = False,
    tile: tuple[int, int] | None = None,
    rows: int = 5,
    predictor: bool = False,
    extra: tuple[int, ...] = (),
    palette: np.ndarray | None = None,  # (N, 3) of 16 bits
    kind: int = 1,
    orientation: int = 1,
    subfile: int = 0,
    big_endian: bool = False,
) -> tuple[list[bytes], dict]:
    height, width, count = samples.shape
    short = {256: width, 257: height, 259: COMPRESSIONS[compression], 262: PHOTOMETRICS[photometric], 277: count}
    short |= {284: 2 if planar else 1, 254: subfile, 274: orientation, 339: kind}
    short |= {317: 2} if predictor else {}
    short |= {322: tile[1], 323: tile[0]} if tile else {278: rows}
    tags = {code: (_SHORT, [value]) for code, value in short.items()}
    tags[258] = (_SHORT, [bits] * count)
    if extra:
        tags[338] = (_SHORT, list(extra))
    if palette is not None:
        tags[320] = (_SHORT, palette.T.ravel().tolist())
    if photometric == "ycbcr":
        tags[530] = (_SHORT, [1, 1])
    segments = []
    planes = [samples[..., [number]] for number in range(count)] if planar else [samples]
    step_down, step_across = tile or (rows, width)
    for plane in planes:
        for top in range(0, height, step_down):
            for left in range(0, width, step_across):
                part = plane[top : top + step_down, left : left + step_across]
                if tile:
                    more = (step_down - part.shape[0], step_across - part.shape[1])
                    part = np.pad(part, ((0, more[0]), (0, more[1]), (0, 0)))
                segments.append(_segment(part, bits, compression, predictor, photometric, big_endian))
    return segments, tags


def _segment(
    part: np.ndarray, bits: int, compression: str, predictor: bool, photometric: str, big_endian: bool
) -> bytes:
    if compression == "jpeg":
        mode = {1: "L", 3: "RGB", 4: "CMYK"}[part.shape[2]]
        file = io.BytesIO()
        picture = Image.fromarray(np.ascontiguousarray(part.astype(np.uint8).squeeze(axis=2) if mode == "L" else part))
        picture.save(file, "jpeg", quality=98, subsampling=0, keep_rgb=photometric == "rgb")
        return file.getvalue()
    if predictor:
        part = np.concatenate([part[:, :1], part[:, 1:] - part[:, :-1]], axis=1)
    if bits in (8, 16, 32, 64):
        raw = part.astype(part.dtype.newbyteorder(">" if big_endian else "<")).tobytes()
    else:
        raw = b"".join(_packed(row, bits) for row in part.reshape(part.shape[0], -1))
    return {"none": bytes, "deflate": zlib.compress, "packbits": _packbits, "lzw": _lzw}[compression](raw)


def _packed(row: np.ndarray, bits: int) -> bytes:
    text = "".join(f"{int(value):0{bits}b}" for value in row)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def _packbits(raw: bytes) -> bytes:
    parts = [raw[start : start + 128] for start in range(0, len(raw), 128)]
    return b"".join(bytes([len(part) - 1]) + part for part in parts)


def _lzw(raw: bytes) -> bytes:
    """Every byte as a code of its own, of 9 bits, and a new table before 10 are needed."""
    codes = [code for start in range(0, len(raw), 200) for code in (256, *raw[start : start + 200])]
    return _packed(np.array([*codes, 257]), 9)
