"""Addresses in a network, which are no paths."""

from __future__ import annotations

import re

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_CREDENTIALS = re.compile(r"(?<=://)[^/?#]*@")
_QUERY = re.compile(r"[?#].*", re.DOTALL)


def is_url(text: object) -> bool:
    """Whether a text is an address such as ``rtsp://camera/1``."""
    return isinstance(text, str) and _URL.match(text) is not None


def shown_url(url: str) -> str:
    """An address without user, password and query, which may be secrets."""
    return _QUERY.sub("?...", _CREDENTIALS.sub("", url))
