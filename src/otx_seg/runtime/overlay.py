"""What is drawn onto a picture: a mask, the names of its labels beside their colours, and how fast it was made."""

from __future__ import annotations

import functools
import math

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from otx_seg.labels import Labels
from otx_seg.runtime.confidence import UNKNOWN
from otx_seg.runtime.fonts import font_for, readable_names

LEAST_NAMED = 96
"""Pixels of the height of a file with an overlay from which on it names labels: on smaller ones names would hide it."""

_SHARE_OF_COLOR = 0.5


def overlay(image: NDArray[np.uint8], mask: NDArray[np.uint8], labels: Labels) -> NDArray[np.uint8]:
    """Tint every pixel with the colour of its label, half and half; background and ignored pixels stay as they are.

    Args:
        image: uint8 (H, W, 3) RGB.
        mask: uint8 (H, W), values 0..K-1 or 255.
        labels: the K labels.

    Returns:
        uint8 (H, W, 3) RGB.
    """
    colors = np.zeros((256, 1, 3), np.uint8)
    colors[: len(labels), 0] = labels.shown_colors
    plain = np.full(256, 255, np.uint8)
    plain[list(labels.foreground)] = 0
    tinted = cv2.addWeighted(image, 1 - _SHARE_OF_COLOR, cv2.applyColorMap(mask, colors), _SHARE_OF_COLOR, 0)
    # With NumPy's indexing in place of these tables, drawing took longer than making the mask.
    drawn: NDArray[np.uint8] = cv2.copyTo(image, cv2.LUT(mask, plain), tinted)
    return drawn


def draw_unknown(picture: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    """Grey and hatched: the pixels that a model is not sure of; `picture` is changed.

    Args:
        picture: uint8 (H, W, 3) RGB.
        mask: uint8 (H, W); those of value `UNKNOWN`.
    """
    unknown = cv2.compare(mask, UNKNOWN, cv2.CMP_EQ)
    if not cv2.countNonZero(unknown):
        return
    height, width = mask.shape
    stripe = max(2, _line_height(height) // 6)
    light = (np.arange(height)[:, None] + np.arange(width)) // stripe % _STRIPES == 0
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    drawn = cv2.addWeighted(grey, 1 - _SHARE_OF_COLOR, np.full_like(grey, _UNKNOWN_COLOR), _SHARE_OF_COLOR, 0)
    drawn[light] = _UNKNOWN_COLOR
    cv2.copyTo(drawn, unknown, picture)


_UNKNOWN_COLOR = (176, 176, 176)  # a label may be grey too, but has no stripes
_STRIPES = 4  # of which one is plain
_LINES_PER_IMAGE = 24
_TEXT_PIXELS = (12, 40)
"""Smallest and largest height of a line: below, letters cannot be read; above, they only hide the picture."""
_PANEL = (24, 24, 24)
_TEXT = (255, 255, 255)
_BAR_LINES = 4  # how many times as long as a line is high
_LARGEST_SHARE = 0.9  # of the image's width, for a line


def draw_legend(
    picture: NDArray[np.uint8], mask: NDArray[np.uint8], labels: Labels, with_unknown: bool = False
) -> None:
    """List the labels that occur in a mask, with their colours, in the upper left corner; `picture` is changed.

    Background and ignored pixels are not tinted and not listed. Of more labels than there is room for, those with the
    largest areas are listed; an image too small for a single line gets none. See `readable_names`.

    Args:
        picture: uint8 (H, W, 3) RGB.
        mask: uint8 (H, W) or of any other size, values 0..K-1 or 255.
        labels: the K labels.
        with_unknown: list pixels of value 255 as "unknown", the last, see `draw_unknown`.
    """
    height, width = picture.shape[:2]
    line = _line_height(height)
    area = cv2.calcHist([mask], [0], None, [256], [0, 256])[:, 0]
    names, colors = readable_names(labels.names), labels.shown_colors
    entries = {index: (names[index], colors[index]) for index in labels.foreground}
    if with_unknown:
        entries[UNKNOWN] = ("unknown", _UNKNOWN_COLOR)
    present = sorted((index for index in entries if area[index] > 0), key=lambda index: -area[index])
    listed = [entries[index] for index in sorted(present[: max(0, height // line - 3)])]
    panel = _panel(tuple(name for name, _ in listed), tuple(color for _, color in listed), line)
    if panel is not None and panel.shape[1] <= width * _LARGEST_SHARE:
        picture[: panel.shape[0], : panel.shape[1]] = panel


def draw_note(
    picture: NDArray[np.uint8],
    text: str,
    color: tuple[int, int, int] | None = None,
    scale: NDArray[np.uint8] | None = None,
    highest: str = "",
) -> None:
    """Write a line of text into the lower left corner, cut off where it is too long; `picture` is changed.

    Args:
        picture: uint8 (H, W, 3) RGB.
        color: of a square before the text, RGB 0-255; None: no square.
        scale: colours that follow the text as a bar, from left to right, uint8 (N, 3) RGB; None: no bar.
        highest: text behind the bar: what its right end stands for.
    """
    line = _line_height(picture.shape[0])
    panel = _panel((text,), (color,), line)
    if panel is None:
        return
    if scale is not None:
        end = _panel((highest,), (None,), line)
        panel = np.hstack((panel, _bar(scale, line, panel.shape[0]), *(() if end is None or not highest else (end,))))
    panel = panel[: picture.shape[0], : picture.shape[1]]
    picture[picture.shape[0] - panel.shape[0] :, : panel.shape[1]] = panel


def _bar(scale: NDArray[np.uint8], line: int, height: int) -> NDArray[np.uint8]:
    """Colours side by side, as high as a square of a label's colour; uint8 (height, w, 3)."""
    margin = line // 4
    bar = np.full((height, _BAR_LINES * line + margin, 3), _PANEL, np.uint8)
    colors = cv2.resize(scale[None], (_BAR_LINES * line, 1), interpolation=cv2.INTER_LINEAR)
    bar[margin + 1 : margin + line - 1, :-margin] = colors
    return bar


def _line_height(height: int) -> int:
    smallest, largest = _TEXT_PIXELS
    return min(max(height // _LINES_PER_IMAGE, smallest), largest)


# The labels of a video's frames rarely change, and writing is slow beside everything else that is drawn.
@functools.lru_cache(maxsize=64)
def _panel(
    texts: tuple[str, ...], colors: tuple[tuple[int, int, int] | None, ...], line: int
) -> NDArray[np.uint8] | None:
    """Lines of text, with a square of colour before those that have one; uint8 (h, w, 3), None without texts."""
    if not texts:
        return None
    fonts = [font_for(text, line * 0.75) for text in texts]
    margin = line // 4
    begin = margin if colors[0] is None else 2 * margin + line
    width = math.ceil(max(font.getlength(text) for font, text in zip(fonts, texts, strict=True))) + begin + margin
    image = Image.new("RGB", (width, len(texts) * line + 2 * margin), _PANEL)
    draw = ImageDraw.Draw(image)
    for number, (text, font, color) in enumerate(zip(texts, fonts, colors, strict=True)):
        top = margin + number * line
        if color is not None:
            # Outlined, since a label's colour may be as dark as the panel.
            draw.rectangle((margin, top + 1, margin + line - 2, top + line - 2), fill=color, outline=_TEXT)
        draw.text((begin, top + line // 2), text, fill=_TEXT, font=font, anchor="lm")
    return np.asarray(image)
