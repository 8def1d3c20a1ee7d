"""Lists of labels in plain text, recognised by what stands in their lines: a name, with a mask value, a colour or both.

Tools write them in many ways::

    road               0 road             Pixel Value, Class      name,r,g,b           road:128,64,128::
    road 128 64 128    0: road            0, background           road,128,64,128      #804080 road
    128 64 128 road    road,128,64,128    1, road                 sky,70,130,180       1;road;128;64;128

Commas, semicolons, tabs, colons and spaces separate; a first line with names of columns decides what they mean.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import NamedTuple

from otx_seg.annotations.masks import Color
from otx_seg.labels import HIGHEST_MASK_VALUE
from otx_seg.runtime.plain_files import shown, whole_number


class ListedLabel(NamedTuple):
    """A line of a list: a label's name, its RGB colour and its value in masks, where they stand there."""

    name: str
    color: Color | None = None
    value: int | None = None


NAME_WORDS = ("name", "names", "class", "classes", "label", "labels", "classname", "labelname", "category", "title")
"""What a column of names, or a name in a mapping, is called, in small letters."""
VALUE_WORDS = (
    "value",
    "pixelvalue",
    "maskvalue",
    "id",
    "index",
    "idx",
    "classid",
    "labelid",
    "classindex",
    "grayvalue",
)
COLOR_WORDS = ("color", "colour", "rgb", "hex", "classcolor", "rgbcolor", "hexcolor", "rgbcode", "colorrgb")
_CHANNEL_WORDS = (("r", "g", "b"), ("red", "green", "blue"))

_GAP = r"(?:[ ]*[,;:=|\t]\s*|[ ]+)"
_NUMBER = r"(?:[0-9]{1,5}|\#[0-9a-fA-F]{6})"
_BEFORE = re.compile(rf"(?:{_NUMBER}{_GAP})*", re.ASCII)
_BEHIND = re.compile(rf"(?:{_GAP}{_NUMBER})*$", re.ASCII)
_IN_BRACKETS = re.compile(r"""["']?[\[(]\s*([0-9]+(?:[\s,;]+[0-9]+){2})\s*[\])]["']?""", re.ASCII)
_VOC = re.compile(r"([^:]+):([^:]*):[^:]*:[^:]*")  # name:red,green,blue:parts:actions
_COMMENT = re.compile(r"#(?![0-9a-fA-F]{6}\b)")
_HEX = re.compile(r"#?([0-9a-fA-F]{6})")


def labels_in_text(text: str) -> list[ListedLabel]:
    """The labels of a list, in its order. Empty lines, and those that begin with # and no colour, do not count.

    Raises:
        ValueError: a colour or value that is none, a line without the columns of the others, or columns of unknown
            names.
    """
    lines = [line for line in map(str.strip, text.splitlines()) if line and not _COMMENT.match(line)]
    if not lines:
        return []
    for delimiter in ",;\t|":
        header = [_word(cell) for cell in _cells(lines[0], delimiter)]
        if len(header) > 1 and any(word in NAME_WORDS for word in header) and _is_header(header):
            return _by_columns(header, [_cells(line, delimiter) for line in lines[1:]])
    header = [_word(cell) for cell in lines[0].split()]
    if len(header) > 1 and any(word in NAME_WORDS for word in header) and _is_header(header, every=True):
        lines = lines[1:]
    found = _by_lines(lines)
    _refuse_unknown_columns(lines, found)
    return found


def _refuse_unknown_columns(lines: Sequence[str], found: Sequence[ListedLabel]) -> None:
    """Refuse a table whose first line would be a label, such as ``Name;Wert``: every label would be the one before it.

    A comma with a space behind it may belong to names: ``building, edifice``.
    """
    first = found[0].name.replace(", ", " ")
    for delimiter in ",;\t|":
        widths = {len(_cells(line, delimiter)) for line in lines}
        if len(lines) > 1 and len(widths) == 1 and widths != {1} and delimiter in first:
            raise ValueError(
                f"what its columns are cannot be told from {shown(lines[0])}; call them name and value, or "
                "name and color"
            )


def _word(cell: str) -> str:
    return "".join(filter(str.isalpha, cell.casefold()))


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]


def _is_header(words: Sequence[str], every: bool = False) -> bool:
    """Whether these are names of columns: two at least that are known, or every one."""
    known = {*NAME_WORDS, *VALUE_WORDS, *COLOR_WORDS, *_CHANNEL_WORDS[0], *_CHANNEL_WORDS[1]}
    number = sum(word in known for word in words)
    return number == len(words) if every else number > 1


def _by_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[ListedLabel]:
    for row in rows:
        if len(row) < len(header):
            raise ValueError(f"{shown(', '.join(row))} has {len(row)} columns, not {len(header)}")

    def numbers_alone(column: int) -> bool:
        return all(row[column].isascii() and row[column].isdigit() for row in rows)

    names = [column for column, word in enumerate(header) if word in NAME_WORDS]
    named = next((column for column in names if not numbers_alone(column)), names[0])
    others = [column for column, word in enumerate(header) if word in (*VALUE_WORDS, *NAME_WORDS) and column != named]
    values = next((column for column in others if numbers_alone(column)), None)
    channels = next(([header.index(word) for word in words] for words in _CHANNEL_WORDS if {*words} <= {*header}), None)
    colored = next((column for column, word in enumerate(header) if word in COLOR_WORDS), None)
    if channels is None and values is None and colored is not None and numbers_alone(colored):
        values, colored = colored, None
    found = []
    for row in rows:
        color = None
        if channels is not None:
            color = color_of([row[column] for column in channels], row[named])
        elif colored is not None and row[colored]:
            color = color_of(row[colored], row[named])
        found.append(ListedLabel(row[named], color, None if values is None else value_of(row[values], row[named])))
    return found


def value_of(value: object, name: str) -> int:
    """A mask value out of a file. Raises ValueError if it is none."""
    return whole_number(value, 0, HIGHEST_MASK_VALUE, f"the mask value of {shown(name)}")


def color_of(value: object, name: str) -> Color:
    """A colour out of a file: three numbers, a text with three numbers or with six hexadecimal digits.

    Raises:
        ValueError: it is none.
    """
    parts = value
    if isinstance(value, str):
        six = _HEX.fullmatch(value.strip())
        if six:
            return _from_hex(six[1])
        parts = re.findall(r"[^\s,;()\[\]]+", value)
    if not isinstance(parts, list) or len(parts) not in (3, 4):
        raise ValueError(f"the colour of {shown(name)} is {shown(value)}, not red, green and blue")
    channels = [whole_number(part, 0, 255, f"the colour of {shown(name)}") for part in parts]
    return channels[0], channels[1], channels[2]


def _from_hex(digits: str) -> Color:
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


class _Line(NamedTuple):
    """A line without column names.

    Attributes:
        whole: the name with the number before or behind it that may be its value.
        bare: the name without that number.
        number: it.
        place: "before" or "behind" if there is one, with "loosely" in front if only spaces separate them.
        color: see `ListedLabel`.
    """

    whole: str
    bare: str
    number: int | None
    place: str
    color: Color | None


def _by_lines(lines: Sequence[str]) -> list[ListedLabel]:
    read = [_read_line(line) for line in lines]
    numbers = [line.number for line in read]
    names = {line.bare for line in read}
    places = {line.place for line in read}
    are_values = None not in numbers and len(set(numbers)) == len(names) == len(read) and len(places) == 1
    if are_values and "loosely behind" in places:  # else it is "level 2" and "house 7"
        are_values = {*numbers} in ({*range(len(read))}, {*range(1, len(read) + 1)})
    if are_values and "loosely before" in places:
        are_values = numbers == sorted(number for number in numbers if number is not None)
    if are_values:
        return [ListedLabel(line.bare, line.color, value_of(line.number, line.bare)) for line in read]
    return [ListedLabel(line.whole, line.color) for line in read]


def _read_line(line: str) -> _Line:
    voc = _VOC.fullmatch(line)
    if voc:
        try:
            return _Line(voc[1], voc[1], None, "", color_of(voc[2], voc[1]) if voc[2] else None)
        except ValueError as error:
            raise ValueError(f"{shown(line)} is no label; expected is name:red,green,blue:: ({error})") from None
    line = _IN_BRACKETS.sub(r" \1", line).strip(" \t,;|")
    before = _BEFORE.match(line)
    start = before.end() if before else 0
    behind = _BEHIND.search(line, start)
    end = behind.start() if behind else len(line)
    heads, tails = _numbers(line[:start]), _numbers(line[end:])
    name = _unquoted(line[start:end])
    written = next((number for number in (*heads, *tails) if number.startswith("#")), None)
    if written is not None:
        heads, tails = ([number for number in part if number != written] for part in (heads, tails))
        return _with_number(line, name, heads, tails, _from_hex(written[1:]))
    if len(tails) in (3, 4):
        color = color_of(tails[-3:], name)
        return _with_number(line, name, heads, tails[:-3], color)
    if len(heads) in (3, 4):
        color = color_of(heads[-3:], name)
        return _with_number(line, name, heads[:-3], tails, color)
    return _with_number(line, name, heads, tails, None)


def _numbers(text: str) -> list[str]:
    return [part for part in re.split(r"[\s,;:=|]+", text) if part]


def _unquoted(name: str) -> str:
    return name[1:-1] if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'" else name


def _with_number(line: str, name: str, heads: list[str], tails: list[str], color: Color | None) -> _Line:
    """A line whose colour has been found, with the numbers that are left around its name."""
    whole = _unquoted(line) if color is None else " ".join((*heads, name, *tails))
    if len(heads) + len(tails) != 1:
        return _Line(whole, name, None, "", color)
    place, number = ("before", heads[0]) if heads else ("behind", tails[0])
    apart = line.replace(name, "", 1)
    loosely = not re.search(r"[,;:=|\t]", apart)
    return _Line(whole, name, int(number), f"{'loosely ' if loosely else ''}{place}", color)
