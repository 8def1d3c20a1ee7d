"""What files of text say, and what is refused before anything is done with it."""

from __future__ import annotations

import codecs
import math

import pytest

from otx_seg.errors import DataError, UsageError
from otx_seg.runtime.plain_files import (
    DEEPEST,
    is_deeper,
    number,
    parse_json,
    read_json,
    read_text,
    shown,
    whole_number,
)


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path, mark, encoding):
    (tmp_path / "a.txt").write_bytes(mark + "straße\n".encode(encoding))
    assert read_text(tmp_path / "a.txt") == "straße\n"


def test_what_is_no_text(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xff\x00\xfe")
    with pytest.raises(DataError, match=r"a\.txt: is not UTF-8 text .*; save it as UTF-8"):
        read_text(tmp_path / "a.txt")
    with pytest.raises(UsageError, match="cannot be read"):
        read_text(tmp_path / "missing", UsageError)
    with pytest.raises(DataError, match="cannot be read"):
        read_text("a\0b")
    (tmp_path / "a.txt").write_text("12345")
    assert read_text(tmp_path / "a.txt", most_bytes=5) == "12345"
    with pytest.raises(DataError, match="larger than 4 bytes"):
        read_text(tmp_path / "a.txt", most_bytes=4)


def test_plain_values(tmp_path):
    (tmp_path / "a.json").write_bytes(codecs.BOM_UTF8 + b'{"a": [1, 2.5, null, "\\u00df"]}')
    assert read_json(tmp_path / "a.json") == {"a": [1, 2.5, None, "ß"]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' occurs twice"),
        ("[NaN]", "NaN is not JSON"),
        ("[-Infinity]", "-Infinity is not JSON"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "nested more than 100 levels"),
        ('["\\ud800"]', "surrogates"),
        ("1" * 5000, "limit"),
        ("{", "not valid JSON"),
        (b"\xff{}", "not UTF-8"),
    ],
)
def test_what_is_no_json(text, reason):
    with pytest.raises(DataError, match=reason) as caught:
        parse_json(text, "a.json")
    assert len(str(caught.value)) < 300


def test_numbers_that_are_not_finite_are_read_where_a_reader_takes_them():
    found = parse_json('{"score": NaN, "area": [Infinity, -Infinity]}', "a.json", not_finite=True)
    assert math.isnan(found["score"])
    assert found["area"] == [math.inf, -math.inf]
    with pytest.raises(ValueError, match="the score is nan"):
        number(found["score"], 0, 1, "the score")


def test_depth():
    nested = [{"a": [1]}, 2]
    assert not is_deeper(nested, 3)
    assert is_deeper(nested, 2)
    assert not is_deeper("text", 0)


@pytest.mark.parametrize(
    ("value", "found"), [(3, 3), (3.0, 3), ("3", 3), (" 3 ", 3), ("-7", -7), (2**60 + 1, 2**60 + 1)]
)
def test_whole_numbers(value, found):
    assert whole_number(value, -10, 2**62, "width") == found


@pytest.mark.parametrize(
    "value", [3.5, "3.5", "²", "٣", "1_0", True, None, [], "abc", float("nan"), "inf", 1e400, 10**400, "", -11, 11]
)
def test_no_whole_numbers(value):
    with pytest.raises(ValueError, match="width is "):
        whole_number(value, -10, 10, "width")


def test_numbers():
    assert number("1e-3", 0, 1, "threshold") == 0.001
    with pytest.raises(ValueError, match=r"threshold is 1000000000\.0; it should be from 0 to 1"):
        number(1e9, 0, 1, "threshold")


def test_long_values_are_cut_in_messages():
    assert shown("abc") == "'abc'"
    assert len(shown("x" * 10_000_000)) < 100
    assert len(shown([*range(1000)])) < 100
