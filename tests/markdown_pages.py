"""What the tests of the documentation look for in its pages."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_FENCE = re.compile(r"^[ ]*```(\w*)\n(.*?)^[ ]*```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_SHELL = ("", "bash", "sh", "console")


def prose_of(text: str) -> str:
    """A page without its blocks of code."""
    return _FENCE.sub("", text)


def links_of(text: str) -> list[str]:
    """Targets of its links and pictures."""
    return _LINK.findall(_INLINE.sub("", prose_of(text)))


def anchors_of(text: str) -> set[str]:
    """What follows # in links to its headings."""
    headings = re.findall(r"^#+ (.*)$", prose_of(text), re.MULTILINE)
    return {_slug(heading) for heading in headings}


def _slug(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


def commands_of(text: str) -> Iterator[tuple[str, bool]]:
    """Command lines of `otx`, and whether they stand in prose: first the lines of blocks."""
    for language, block in _FENCE.findall(text):
        if language in _SHELL:
            for line in block.replace("\\\n", " ").splitlines():
                for part in re.split(r"&&|;|\|\|", line.split(" #")[0]):
                    if part.strip().startswith("otx "):
                        yield part.strip(), False
    for code in _INLINE.findall(prose_of(text)):
        if code.startswith("otx "):
            yield code, True


def words_of(command: str) -> list[list[str]]:
    """The words of a command line after `otx`: without the marks of what may be left out, and once for each of the
    values that stand for choice (`a|b`)."""
    plain = re.sub(r"--group\.\w+[ =]VALUE|--\w+\.NAME[ =]VALUE", "", command)
    words = shlex.split(plain.replace("[", "").replace("]", ""))[1:]
    words = [re.sub(r",?\.\.\.$", "", word) for word in words if word != "..."]
    several = max((word.count("|") + 1 for word in words), default=1)
    return [[word.split("|")[min(index, word.count("|"))] for word in words] for index in range(several)]
