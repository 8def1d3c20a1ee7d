"""Addresses in a network, which are no paths."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from otx_seg.errors import UsageError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_URL_AS_PATH = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:[/\\]")
_CREDENTIALS = re.compile(r"(:/+)[^/?#]*@")
_QUERY = re.compile(r"[?#].*", re.DOTALL)


def is_url(given: object) -> bool:
    """Whether a text, or a path made of it, is an address such as ``rtsp://camera/1``."""
    known = _URL if isinstance(given, str) else _URL_AS_PATH
    return isinstance(given, (str, Path)) and known.match(str(given)) is not None


def refuse_urls(given: dict[str, Any]) -> None:
    """
    Args:
        given: what may be paths, alone or several, by the names of their options or parameters.

    Raises:
        UsageError: an address stands where a file or folder is expected.
    """
    for name, value in given.items():
        for item in value if isinstance(value, (list, tuple)) else (value,):
            if is_url(item):
                way = "name a folder here" if "output" in name else "download what is there, and give its path"
                raise UsageError(f"{name} {shown_url(str(item))}: is a URL; {way}")


def refusing_urls(function: Callable[..., Any], but_for: str = "") -> Callable[..., Any]:
    """The function, which raises UsageError for addresses in its arguments but for that of this name."""

    @functools.wraps(function)
    def checked(*values: Any, **named: Any) -> Any:
        given = inspect.signature(function).bind(*values, **named).arguments
        refuse_urls({name: value for name, value in given.items() if name != but_for})
        return function(*values, **named)

    return checked


def shown_url(url: str) -> str:
    """An address without user, password and query, which may be secrets."""
    return _QUERY.sub("?...", _CREDENTIALS.sub(r"\1", url))
