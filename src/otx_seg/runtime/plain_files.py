"""Text and JSON files from anywhere, and values out of them that can be relied on.

Whatever a file says is checked here before anything is done with it: a byte order mark is no part of a text, JSON has
no key twice and no endless nesting, and a number has a range, because what comes behind (loops, allocations,
code in C) trusts it.
"""

from __future__ import annotations

import codecs
import json
import math
from pathlib import Path
from typing import Any

from otx_seg.errors import DataError, OtxError

DEEPEST = 100
"""Levels of lists and mappings in one another; a file with more was made to break its reader."""

_CONTAINERS = frozenset((dict, list))
_LONGEST_SHOWN = 60  # characters of a value in a message
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read_text(path: str | Path, error: type[OtxError] = DataError, most_bytes: int | None = None) -> str:
    """The text of a file: UTF-8, or whatever its byte order mark says; the mark is left out.

    Args:
        path: the file.
        error: what is raised.
        most_bytes: size above which the file is refused unread; None: any.

    Raises:
        OtxError: as `error`, where the file is missing, may not be read, is too large, or is no such text.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read() if most_bytes is None else file.read(most_bytes + 1)
    except OSError as reason:
        raise error(f"{path}: cannot be read ({reason.strerror})") from reason
    except ValueError as reason:  # a zero byte in its name
        raise error(f"{path}: cannot be read ({reason})") from reason
    if most_bytes is not None and len(content) > most_bytes:
        raise error(f"{path}: is larger than {most_bytes:,} bytes, which no such file is")
    return decode_text(content, path, error)


def decode_text(content: bytes, path: str | Path, error: type[OtxError] = DataError) -> str:
    """As `read_text`, of the content of a file."""
    mark, encoding = next((pair for pair in _BYTE_ORDER_MARKS if content.startswith(pair[0])), (b"", "utf-8"))
    try:
        return content[len(mark) :].decode(encoding)
    except UnicodeDecodeError as reason:
        raise error(f"{path}: is not UTF-8 text ({reason}); save it as UTF-8") from reason


def read_json(
    path: str | Path,
    expected: str = "",
    error: type[OtxError] = DataError,
    most_bytes: int | None = None,
    not_finite: bool = False,
) -> Any:
    """The plain values in a JSON file; see `parse_json` and `read_text` for arguments and errors."""
    return parse_json(read_text(path, error, most_bytes), path, expected, error, not_finite)


def parse_json(
    text: str | bytes,
    where: str | Path,
    expected: str = "",
    error: type[OtxError] = DataError,
    not_finite: bool = False,
) -> Any:
    """The plain values of a JSON text.

    Args:
        text: the content of a file, or a text that stands somewhere in one.
        where: the file, for messages.
        expected: words on what should stand there, for the end of messages.
        error: what is raised.
        not_finite: whether NaN, Infinity and -Infinity are read as such floats: annotation tools and pandas write them
            into fields that nobody uses. `number` refuses them where one is used.

    Raises:
        OtxError: as `error`, where it is not JSON, a key stands twice in one mapping, a number is NaN or infinite, a
            text has half of a character, or values are nested more than `DEEPEST` levels deep.
    """
    if isinstance(text, bytes):
        text = decode_text(text, where, error)
    try:
        constant = float if not_finite else _refuse_constant
        found = json.loads(text, object_pairs_hook=_mapping, parse_constant=constant)
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()  # fails where half of a character is escaped
    except (ValueError, RecursionError) as reason:
        told = "nested too deeply" if isinstance(reason, RecursionError) else str(reason)
        raise error(f"{where}: not valid JSON ({told}){_then(expected)}") from reason
    if is_deeper(found, DEEPEST):
        raise error(f"{where}: values are nested more than {DEEPEST} levels deep{_then(expected)}")
    return found


def is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and mappings in one another go deeper than so many levels.

    Args:
        value: plain values in which nothing contains itself.
    """
    reached = [value] if type(value) in _CONTAINERS else []
    for _ in range(levels):
        if not reached:
            return False
        # Most containers hold nothing but numbers: that is told without a look at each from Python.
        contents = (value.values() if isinstance(value, dict) else value for value in reached)
        holding = [items for items in contents if not _CONTAINERS.isdisjoint(map(type, items))]
        reached = [item for items in holding for item in items if type(item) in _CONTAINERS]
    return bool(reached)


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {shown(twice)} occurs twice")
    return found


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _then(expected: str) -> str:
    return f"; {expected}" if expected else ""


def whole_number(value: Any, low: int, high: int, what: str) -> int:
    """An integer out of a file, see `number`; texts and floats that are exactly one count as well.

    Raises:
        ValueError: it is none, or out of range.
    """
    exact = number(value, low, high, what)
    if exact != int(exact):
        raise ValueError(f"{what} is {shown(value)}, not an integer")
    digits = isinstance(value, str) and value.strip().lstrip("+-").isdigit()
    return int(value) if digits or isinstance(value, int) else int(exact)  # a float has no more than 53 bits


def number(value: Any, low: float, high: float, what: str) -> float:
    """A finite number out of a file; a text that is one in the digits 0-9 counts as well.

    Args:
        low, high: the smallest and the largest allowed value.
        what: what it is, for the message.

    Raises:
        ValueError: it is none, or out of range.
    """
    try:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError
        if isinstance(value, str) and not (value.isascii() and "_" not in value):
            raise ValueError
        found = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{what} is {shown(value)}, not a number") from None
    if not math.isfinite(found) or not low <= found <= high:
        raise ValueError(f"{what} is {shown(value)}; it should be from {low:,} to {high:,}")
    return found


def shown(value: Any) -> str:
    """A value as a message shows it: as Python writes it, in one line, with its end left out where it is long."""
    # Of a text of megabytes only the beginning is written.
    part = value[: _LONGEST_SHOWN + 1] if isinstance(value, (str, bytes, list, tuple)) else value
    try:
        text = " ".join(repr(part).split("\n"))
    except ValueError:  # Python writes no number of more than some thousand digits
        text = f"something with a number of thousands of digits ({type(value).__name__})"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
