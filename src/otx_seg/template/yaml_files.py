"""YAML files from anywhere as plain values, in time and memory that follow from their size.

YAML lets a few lines stand for billions of values (aliases of aliases), for a value that contains itself, and for
nesting without end. Nothing is built before its size is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from otx_seg.errors import OtxError, UsageError
from otx_seg.runtime.plain_files import DEEPEST, read_text

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
LONGEST_YAML = 1 << 20
"""Bytes of the longest file that is read."""
_MOST_VALUES = 100_000
"""Values of a file once its aliases are written out."""


def read_yaml(path: Path, what: str = "a template", error: type[OtxError] = UsageError) -> dict[str, Any]:
    """The mapping a YAML file holds.

    Args:
        what: what the file describes, for messages.
        error: what is raised.

    Raises:
        OtxError: as `error`, where the file is missing, is no YAML, holds no mapping, a key twice, more than a megabyte
            or values beyond number or depth.
    """
    text = read_text(path, error, LONGEST_YAML)
    try:
        _refuse_depth(text)
        root = yaml.compose(text, _Loader)
        if root is not None:
            _refuse_size(root)
            _refuse_equal_keys(root)
        content = yaml.load(text, _Loader)
    except yaml.YAMLError as reason:
        raise error(f"{path}: is not valid YAML ({' '.join(str(reason).split())})") from reason
    except (ValueError, OverflowError, TypeError, AttributeError, RecursionError) as reason:  # such as a 13th month
        raise error(f"{path}: is not valid YAML ({reason})") from reason
    if not isinstance(content, dict):
        raise error(f"{path}: {what} is a mapping of keys to values, this is {type(content).__name__}")
    return content


def _refuse_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise ValueError(f"values are nested more than {DEEPEST} levels deep, line {line}")


def _refuse_size(root: yaml.Node) -> None:
    """Refuse a value that contains itself, or that is too large or too deep once its aliases are written out."""
    known: dict[int, tuple[int, int]] = {}
    begun: set[int] = set()

    def size_and_depth(node: yaml.Node) -> tuple[int, int]:
        # An alias stands behind what it stands for, so that this goes no deeper than the text does.
        if id(node) in known:
            return known[id(node)]
        if id(node) in begun:
            raise ValueError(f"the value in line {node.start_mark.line + 1} contains itself")
        begun.add(id(node))
        parts = [size_and_depth(part) for part in _parts(node)]
        size, depth = 1 + sum(size for size, _ in parts), 1 + max((depth for _, depth in parts), default=0)
        if size > _MOST_VALUES:
            raise ValueError(f"its aliases stand for more than {_MOST_VALUES:,} values")
        if depth > DEEPEST:
            raise ValueError(f"its aliases are nested more than {DEEPEST} levels deep")
        known[id(node)] = size, depth
        return size, depth

    size_and_depth(root)


def _refuse_equal_keys(root: yaml.Node) -> None:
    pending, seen = [root], set()
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        pending += _parts(node)
        if isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                    if key.value in keys:
                        raise ValueError(f"the key {key.value} occurs twice, line {key.start_mark.line + 1}")
                    keys.add(key.value)


def _parts(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value
