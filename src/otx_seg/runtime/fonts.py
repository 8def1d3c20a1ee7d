"""Fonts for names in any script: Pillow's own knows nothing but ASCII, so that fonts of the system are looked through.

Nothing is downloaded. Where no font has the letters of a name, something readable stands in its place.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from PIL import ImageFont

logger = logging.getLogger(__name__)

_SUFFIXES = (".ttf", ".ttc", ".otf", ".otc")
_NO_LETTERS = re.compile(
    r"last ?resort|blank|symbol|dingbat|wingding|webding|marlett|emoji|icon"
    r"|^(cm[a-z]+|ms[ab]m|esint|wasy|euf[mb]|rsfs|stmary)\d+\.",
    re.IGNORECASE,
)
"""Fonts that have something in the place of letters, but not the letters."""
_FANCY = re.compile(r"bold|italic|oblique|light|thin|black|condensed|mono|serif|math", re.IGNORECASE)
_NO_LETTER = "\U0010fffe"  # Unicode promises that there will never be one
_PROBED_SIZE = 24


def font_for(text: str, size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font with all letters of a text if there is one on this system, else Pillow's own.

    Args:
        size: height in pixels.
    """
    file = None if text.isascii() else font_file(text)
    return ImageFont.load_default(size) if file is None else ImageFont.truetype(file, size)


def font_file(text: str) -> Path | None:
    """The file of a font with all letters of a text, a plain upright one if possible, or None if there is none."""
    letters = frozenset("".join(unicodedata.normalize("NFC", text).split()))
    return next((file for file in _font_files() if _has(file, letters)), None)


@functools.cache
def readable_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names as they can be drawn here; where letters are missing, without accents, else as ``label 3``.

    What is missing is said once, as a warning.
    """
    readable, missing = [], []
    for index, name in enumerate(names):
        if name.isascii() or font_file(name) is not None:
            readable.append(unicodedata.normalize("NFC", name))
            continue
        missing.append(name)
        plain = unicodedata.normalize("NFKD", name.replace("ß", "ss"))
        plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
        readable.append(plain if plain.isascii() else f"label {index}")
    if missing:
        shown = ", ".join(label for label, name in zip(readable, names, strict=True) if name in missing)
        logger.warning(
            "no font of this system has all letters of %s: in pictures, %s stands in its place; install a font for "
            "that script, such as one of the Noto fonts",
            ", ".join(missing),
            shown,
        )
    return tuple(readable)


@functools.cache
def _has(file: Path, letters: frozenset[str]) -> bool:
    font = _opened(file)
    if font is None:
        return False
    none = _drawn(font, _NO_LETTER)
    return all(_drawn(font, letter) != none for letter in letters)


@functools.lru_cache(maxsize=16)
def _opened(file: Path) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(file, _PROBED_SIZE, layout_engine=ImageFont.Layout.BASIC)
    except OSError:  # damaged, or of bitmaps of other sizes
        return None


def _drawn(font: ImageFont.FreeTypeFont, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)


@functools.cache
def _font_files() -> tuple[Path, ...]:
    """Matplotlib's own font where that is installed, then every font of the system, plain upright ones first."""
    files = {
        Path(parent, name)
        for folder in font_folders()
        for parent, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(_SUFFIXES) and not _NO_LETTERS.search(name)
    }
    ordered = sorted(files, key=lambda file: (_FANCY.search(file.name) is not None, file.name.lower(), file))
    return (*_font_of_matplotlib(), *ordered)


def _font_of_matplotlib() -> Iterator[Path]:
    found = importlib.util.find_spec("matplotlib")  # looked for, not imported
    if found is not None and found.origin is not None:
        yield Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"


def font_folders() -> Iterator[Path]:
    """Where fonts of the system and of the user lie."""
    home = Path.home()
    if sys.platform == "win32":
        yield Path(os.environ.get("WINDIR", r"C:\Windows"), "Fonts")
        yield home / "AppData" / "Local" / "Microsoft" / "Windows" / "Fonts"
    elif sys.platform == "darwin":
        yield from (Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library" / "Fonts")
    else:
        yield from (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local" / "share" / "fonts")
        yield home / ".fonts"
