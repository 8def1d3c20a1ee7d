"""Which font writes which script, and what stands where none can."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from otx_seg.runtime import fonts


def forget() -> None:
    for remembered in (fonts.readable_names, fonts._has, fonts._font_files):
        remembered.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only folder with fonts, beside Matplotlib's own."""
    monkeypatch.setattr(fonts, "font_folders", lambda: iter([tmp_path]))
    forget()
    yield tmp_path
    forget()


def make_font(path: Path, letters: str) -> Path:
    """A font with a box of another height for each of these letters, and a wide one for all that it lacks."""
    names = [".notdef", *(f"letter{number}" for number in range(len(letters)))]
    glyphs = {}
    for number, name in enumerate(names):
        pen = TTGlyphPen(None)
        width, height = (900, 900) if number == 0 else (500, 100 * number)
        corners = [(0, 0), (0, height), (width, height), (width, 0)]
        pen.moveTo(corners[0])
        for corner in corners[1:]:
            pen.lineTo(corner)
        pen.closePath()
        glyphs[name] = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): name for letter, name in zip(letters, names[1:], strict=True)})
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path


def written(text: str) -> NDArray[np.uint8]:
    picture = Image.new("L", (400, 40))
    ImageDraw.Draw(picture).text((5, 5), text, fill=255, font=fonts.font_for(text, 24))
    return np.asarray(picture)


@pytest.mark.parametrize("text", ["Δρόμος", "дорога", "Straße", "Übergänge", "road Ж"])
def test_european_scripts(text: str, folder: Path) -> None:
    file = fonts.font_file(text)
    assert file is not None
    assert file.name == "DejaVuSans.ttf"
    assert fonts.readable_names((text,)) == (text,)
    boxes = "".join("\U0010fffe" if letter != " " else " " for letter in text)
    picture = Image.new("L", (400, 40))
    ImageDraw.Draw(picture).text((5, 5), boxes, fill=255, font=fonts.font_for(text, 24))
    assert (np.asarray(picture) != written(text)).any()
    assert len({written(letter).tobytes() for letter in set(text)}) == len(set(text))


def test_a_font_of_the_system_is_found(folder: Path) -> None:
    assert fonts.font_file("道路") is None
    forget()
    make_font(folder / "half.ttf", "道")
    whole = make_font(folder / "sub.ttf", "道路")
    (folder / "damaged.ttf").write_bytes(b"no font")
    assert fonts.font_file("道路") == whole
    assert fonts.font_file(" 道 ") == folder / "half.ttf"
    assert fonts.readable_names(("道路", "sky")) == ("道路", "sky")
    assert fonts.font_for("道路", 20).getname()[0] == "sub"


def test_plain_fonts_go_first_and_those_without_letters_never(folder: Path) -> None:
    for name in ("A-Bold.ttf", "b-Regular.ttf", "AdobeBlank.ttf", "LastResort.otf", "cmsy10.ttf"):
        make_font(folder / name, "道")
    assert fonts.font_file("道") == folder / "b-Regular.ttf"


def test_readable_names_where_no_font_helps(folder: Path, messages: Any) -> None:
    names = ("background", "道路", "дорога", "空")
    assert fonts.readable_names(names) == ("background", "label 1", "дорога", "label 3")
    assert "no font of this system has all letters of 道路, 空: in pictures, label 1, label 3 stands" in messages.text
    fonts.readable_names(names)
    assert messages.text.count("\n") == 1


def test_accents_are_left_out_where_no_font_has_them(
    folder: Path, messages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "_font_of_matplotlib", lambda: iter(()))
    assert fonts.readable_names(("Straße", "Übergänge", "дорога")) == ("Strasse", "Ubergange", "label 2")
    assert written("Straße").any()  # boxes, but no failure


def test_letters_that_are_written_as_two(folder: Path) -> None:
    assert fonts.readable_names(("e\u0301",)) == ("\u00e9",)


def test_fonts_are_looked_for_where_this_system_has_them() -> None:
    assert all(folder.is_absolute() for folder in fonts.font_folders())
    assert len(list(fonts.font_folders())) >= 2
