"""Coded pixels of objects: what they show, and what they may not be."""

from __future__ import annotations

import base64
import io
import time
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from data_layouts import brush_code
from PIL import Image

from otx_seg.annotations.bitmaps import brush_pixels, png_pixels

SIZE = (40, 50)
SHOWN = np.random.default_rng(1).random((7, 9)) > 0.5


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def coded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def with_palette() -> bytes:
    image = Image.fromarray(SHOWN.astype(np.uint8), mode="P")
    image.putpalette([0, 0, 0, 255, 255, 255])
    file = io.BytesIO()
    image.save(file, "PNG", transparency=0, bits=1)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        png(SHOWN.astype(np.uint8)),
        png(SHOWN.astype(np.uint8) * 255),
        png(np.dstack([SHOWN * 255] * 3).astype(np.uint8)),
        png(np.dstack([np.full((7, 9, 3), 200), SHOWN * 255]).astype(np.uint8)),
        with_palette(),
    ],
    ids=["0 and 1", "0 and 255", "colour", "clear", "palette"],
)
def test_what_a_png_shows(content):
    np.testing.assert_array_equal(png_pixels(coded(content), SIZE), SHOWN)
    np.testing.assert_array_equal(png_pixels(coded(zlib.compress(content)), SIZE, deflated=True), SHOWN)


@pytest.mark.parametrize(
    ("text", "deflated", "message"),
    [
        (None, False, "no base64"),
        ("*", False, "no base64"),
        ("é", False, "no base64"),
        (coded(b"BM"), False, "header is damaged"),
        (coded(b"x"), False, "not an image"),
        (coded(png(SHOWN.astype(np.uint8))[:-30]), False, "its PNG is damaged"),
        (coded(png(np.zeros((41, 9), np.uint8))), False, r"has 9 x 41 pixels, more than the image's 50 x 40"),
        (coded(b"no zlib"), True, "not compressed by zlib"),
        (coded(zlib.compress(png(SHOWN.astype(np.uint8)))[:-9]), True, "truncated"),
        (coded(zlib.compress(b"\0" * 10_000_000)), True, "unpack to more than the image has"),
    ],
)
def test_no_png(text, deflated, message):
    with pytest.raises(ValueError, match=message):
        png_pixels(text, SIZE, deflated)


def test_what_a_brush_code_shows():
    for shown in (SHOWN, np.zeros((5, 4), bool), np.ones((1, 300), bool)):
        np.testing.assert_array_equal(brush_pixels(brush_code(shown), shown.shape), shown)


def test_a_brush_code_by_hand():
    """One pixel of (1, 2, 3, 255): four values one by one."""
    bits = f"{4:032b}{7:05b}" + "0011" * 4 + "0" + "00" + f"{3:04b}" + "".join(f"{part:08b}" for part in (1, 2, 3, 255))
    bits += "0" * (-len(bits) % 8)
    code = [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]
    assert brush_pixels(code, (1, 1)).tolist() == [[True]]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (None, "not a list of numbers"),
        ([], "not a list of numbers"),
        ("abc", "not a list of numbers"),
        ([1, None], "not a number"),
        ([256, 1], "it should be from 0 to 255"),
        ([1, 0.5], "not integers"),
        ([0, 0], "truncated"),
        ([255] * 100, "for 1,073,741,824 pixels"),
        (brush_code(SHOWN)[:-3], "truncated"),
        (brush_code(np.zeros((9, 9), bool)), "for 81 pixels, the image has 9 x 7"),
        ([0, 0, 0, 252, 0, *[255] * 50], "values of 1 bits"),
    ],
)
def test_no_brush_code(code, message):
    with pytest.raises(ValueError, match=message):
        brush_pixels(code, SHOWN.shape)


def test_a_long_brush_code_of_single_values_is_quick():
    shown = np.random.default_rng(2).random((500, 500)) > 0.5
    values = np.repeat(shown.ravel() * 255, 4).astype(np.uint8)
    head = f"{values.size:032b}{7:05b}" + f"{15:04b}" * 4
    bits = [np.array([int(bit) for bit in head], np.uint8)]
    for start in range(0, values.size, 1 << 16):
        part = values[start : start + (1 << 16)]
        bits += [np.array([int(bit) for bit in f"000{part.size - 1:016b}"], np.uint8), np.unpackbits(part)]
    code = np.packbits(np.concatenate(bits)).tolist()
    tracemalloc.start()
    begun = time.perf_counter()
    np.testing.assert_array_equal(brush_pixels(code, shown.shape), shown)
    assert time.perf_counter() - begun < 2
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()
