"""One HTML file that needs nothing else: no network, no script, pictures within."""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

_JPEG_QUALITY = 82
_TYPED = re.compile(r"`([^`\n]+)`|(?<![\w-])(--[a-z][\w-]*)")
"""A command between backticks, or an option without them."""


def page(title: str, parts: Iterable[str]) -> str:
    """A whole document.

    Args:
        title: plain text.
        parts: HTML, one below the other.
    """
    return render("page.html", title=title, body=Markup("\n".join(parts)))


def render(file: str, **values: Any) -> str:
    """A page of the folder ``pages``, whose values are escaped unless they are `Markup`."""
    document = _pages().get_template(file).render(values)
    # The name of a folder may be no UTF-8.
    return document.encode("utf-8", "backslashreplace").decode("utf-8")


@functools.cache
def _pages() -> Environment:
    pages = FileSystemLoader(Path(__file__).with_name("pages"))
    made = Environment(loader=pages, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["prose"] = lambda text: Markup(prose(text))
    made.globals |= {"chip": lambda color: Markup(chip(color)), "bar": lambda share: Markup(bar(share))}
    return made


def prose(text: str) -> str:
    """HTML of a sentence whose commands and options are set as code, and break between their words alone.

    Args:
        text: plain, with commands between backticks.
    """
    parts, end = [], 0
    for found in _TYPED.finditer(text):
        words = (found[1] or found[2]).split(" ")
        code = " ".join(f'<span class="word">{escape(word)}</span>' for word in words)
        parts += [escape(text[end : found.start()]), f"<code>{code}</code>"]
        end = found.end()
    return "".join((*parts, escape(text[end:])))


def embedded(image: NDArray[np.uint8]) -> str:
    """An image, uint8 (H, W, 3) RGB, as the address of an ``img``, compressed as JPEG."""
    return as_address(as_jpeg(image), "image/jpeg")


def as_jpeg(image: NDArray[np.uint8]) -> bytes:
    """An image, uint8 (H, W, 3) RGB, as a JPEG file."""
    return cv2.imencode(".jpg", image[:, :, ::-1], (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))[1].tobytes()


def as_address(content: bytes, media_type: str) -> str:
    """A file as the address of an ``img``."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def chip(color: tuple[int, int, int]) -> str:
    """A small square of an RGB colour."""
    return '<span class="chip" style="background:#{:02x}{:02x}{:02x}"></span>'.format(*color)


def bar(share: float) -> str:
    """A bar filled to a share, 0-1; anything above 0 can be seen."""
    width = 0.0 if share <= 0 else max(1.0, 100 * min(share, 1.0))
    return f'<div class="bar"><div style="width:{width:.1f}%"></div></div>'
