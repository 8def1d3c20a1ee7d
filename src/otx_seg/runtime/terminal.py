"""Text on a terminal, whatever it holds and whatever the terminal can show.

File names, labels inside models and the words of libraries come from outside. A terminal takes some of their characters
for commands, others turn the reading direction or cannot be seen, and some are in no character set. They are shown by
their codes, like ``\\x1b``.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import sys
from contextlib import suppress
from typing import Any, TextIO

LONGEST_MESSAGE = 5_000
"""Characters of one message: the longest path and what is to be said of it."""

LONGEST_CELL = 60
"""Characters of one cell of a table, such as the name of a label: the table stays readable in 80 columns."""

_INDENT = "  "
# Control characters but the line feed, marks of reading direction, separators of lines, what has no width, unused tags,
# halves of characters. Joiners stay: Indic scripts and emoji are written with them.
_UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\ud800-\udfff]"
)
_NEW_MESSAGE = re.compile(f"\n(?!{_INDENT})")


def printable(text: str, longest: int = LONGEST_MESSAGE, encoding: str = "utf-8") -> str:
    """The text with its lines as they are, other characters that no one sees, or that the encoding lacks, by their
    codes, and its middle left out where it is longer than so many characters."""
    if len(text) > longest:
        end = longest // 4
        left_out = f"... ({len(text) - longest:,} characters left out) ..."
        text = f"{text[: longest - end]}{left_out}{text[-end:]}"
    return _UNSEEN.sub(_by_its_code, text).encode(encoding, "backslashreplace").decode(encoding)


def as_message(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """As `printable`, for a text that may continue in lines indented by two spaces.

    The end of any other line comes out of a name, which is not to look like a message of its own.
    """
    return _NEW_MESSAGE.sub(r"\\n", printable(text, longest))


def as_cell(text: str, encoding: str = "utf-8") -> str:
    """As `printable`, in one line of at most `LONGEST_CELL` characters, those of codes included."""
    shown = printable(text, len(text), encoding).replace("\n", r"\n")
    if len(shown) <= LONGEST_CELL:
        return shown
    end = LONGEST_CELL // 4
    return f"{shown[: LONGEST_CELL - end - 3]}...{shown[-end:]}"


def as_entry(text: str) -> str:
    """An entry of a log, whole, whose further lines are indented, so that none looks like another entry."""
    return _NEW_MESSAGE.sub(f"\n{_INDENT}", printable(text, len(text)))


def _by_its_code(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _by_its_code_in_json(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1] if found[0] != "\x7f" else "\\u007f"


def read_names_as_utf8() -> None:
    """Start this program anew where Python takes file names for ASCII; what it prints stays ASCII.

    The names in data sets are UTF-8, in annotation files as well, and they are to be the same there.
    """
    if sys.getfilesystemencoding() == "ascii" and os.environ.get("PYTHONUTF8") != "1":
        environment = {**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": getattr(sys.stdout, "encoding", "ascii")}
        os.execve(sys.executable, sys.orig_argv, environment)


def prepare_streams() -> None:
    """Make stdout and stderr take any text: in an ASCII terminal, when they are closed, and when no one reads them.

    stderr gets a descriptor of its own, so that what libraries in C write to theirs can be told apart from it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:  # closed; the first file to be opened would become the standard stream of that number
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    usual = sys.__stderr__
    if usual is not None and sys.stderr is usual and usual.fileno() == 2:
        sys.stderr = open(os.dup(2), "w", buffering=1, encoding=usual.encoding)  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # not a real one
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    atexit.unregister(_flush)
    atexit.register(_flush)


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123  (for as long as the process lives)


def _flush() -> None:
    # What cannot be written any more has been told; Python would tell it again in its own way.
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            give_up(stream)


def give_up(stream: Any) -> None:
    """Let whatever is still written to a stream vanish: it is a pipe that no one reads any more, or on a full disk."""
    with suppress(OSError, ValueError, AttributeError):  # has no descriptor
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def say(*messages: str, error: bool = False) -> None:
    """Print messages, see `as_message`, to stdout or, with `error`, to stderr.

    A pipe that no one reads any more is no reason to end: the work continues, and what it says is left out.

    Raises:
        OSError: stdout cannot be written.
    """
    _write("\n".join(map(as_message, messages)), error)


def say_json(value: Any) -> None:
    """Print plain values to stdout as indented JSON, see `say`; it is valid whatever the terminal can show."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    text = json.dumps(value, indent=2, ensure_ascii=not encoding.startswith("utf"))
    _write(_UNSEEN.sub(_by_its_code_in_json, text), error=False)


def _write(text: str, error: bool) -> None:
    stream = sys.stderr if error else sys.stdout
    try:
        print(text, file=stream, flush=True)
    except OSError as reason:
        give_up(stream)
        if not error and not isinstance(reason, BrokenPipeError):
            raise
