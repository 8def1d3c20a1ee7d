"""YAML files of a few lines that would take hours, and those that are read."""

from __future__ import annotations

import time

import pytest

from otx_seg.errors import DataError, UsageError
from otx_seg.template.yaml_files import read_yaml


def doubling(levels: int) -> str:
    lines = ["a0: &a0 [1, 2]"]
    lines += [f"a{level}: &a{level} [*a{level - 1}, *a{level - 1}]" for level in range(1, levels)]
    return "\n".join(lines)


def merging(levels: int) -> str:
    lines = ["a0: &a0 {b0: 1, c0: 2}"]
    lines += [f"a{level}: &a{level} {{<<: [*a{level - 1}, *a{level - 1}], b{level}: 1}}" for level in range(1, levels)]
    return "\n".join(lines)


def chain(levels: int) -> str:
    return "\n".join(f"a{level}: &a{level} [{f'*a{level - 1}' if level else 1}]" for level in range(levels))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (doubling(60), "aliases stand for more than 100,000 values"),
        (merging(60), "aliases stand for more than 100,000 values"),
        ("a: &a [*a]", "contains itself"),
        ("a: &a {b: *a}", "contains itself"),
        ("a: " + "[" * 50_000, "nested more than 100 levels|not valid YAML"),
        ("a: " + "{a: " * 900 + "1" + "}" * 900, "nested more than 100 levels deep, line 1"),
        (
            "\n".join(f"a{i}: &a{i} [{f'*a{i - 1}' if i else 1}]" for i in range(500)),
            "aliases are nested more than 100",
        ),
        ("a: 1\na: 2", "the key a occurs twice, line 2"),
        ("a: 2024-13-45", "month"),
        ("a: " + "1" * 5000, "not valid YAML"),
        ("a: [1", "not valid YAML"),
        ("a: \x00", "not valid YAML"),
        ("- 1", "is a mapping of keys to values, this is list"),
        ("", "this is NoneType"),
        ("a: 1\n" + "#" * (1 << 20), "larger than 1,048,576 bytes"),
    ],
)
def test_what_is_refused_at_once(tmp_path, text, reason):
    file = tmp_path / "t.yaml"
    file.write_text(text)
    started = time.monotonic()
    with pytest.raises(UsageError, match=reason) as caught:
        read_yaml(file)
    assert time.monotonic() - started < 5
    assert "\n" not in str(caught.value)


def test_what_is_read(tmp_path):
    file = tmp_path / "data.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: &common {x: 1}\nb: {<<: *common, y: 2}\nc: [*common, *common]\n")
    assert read_yaml(file) == {"a": {"x": 1}, "b": {"x": 1, "y": 2}, "c": [{"x": 1}, {"x": 1}]}
    with pytest.raises(DataError, match="cannot be read"):
        read_yaml(tmp_path / "missing.yaml", error=DataError)
