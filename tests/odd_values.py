"""What a field of a file may hold that nobody expects, and what has to become of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from otx_seg.errors import OtxError

ODD: dict[str, Any] = {
    "None": None,
    "empty": "",
    "abc": "abc",
    "-1": -1,
    "0": 0,
    "1e9": 1e9,
    "nan": float("nan"),
    "inf": float("inf"),
    "-inf": float("-inf"),
    "10**30": 10**30,
    "10**5000": 10**5000,
    "True": True,
    "list": [],
    "mapping": {},
    "nested": [[[[{"a": [None]}]]]],
    "superscript": "²",
    "long": "x" * 200_000,
    "controls": "\x1b]0;title\x07\r\n\x00",
}


def refused_or_taken(call: Callable[[], object], seconds: float = 10.0) -> str | None:
    """The message with which a call refused what it got, None if it did not; in time, and as messages should be."""
    start = time.monotonic()
    try:
        call()
        return None
    except OtxError as error:
        message = str(error)
    finally:
        assert time.monotonic() - start < seconds
    assert 20 < len(message) < 2000
    assert message.count("\n") <= 1
    assert not {"\x1b", "\x07", "\x00"} & set(message)
    return message
