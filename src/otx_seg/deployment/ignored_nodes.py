"""Which nodes of a graph quantisation leaves alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import openvino

from otx_seg.errors import UsageError

_SHOWN = 8  # names in a message: enough to see how they are made


def find_ignored_nodes(graph: openvino.Model, patterns: Sequence[str], types: Sequence[str], path: Path) -> list[str]:
    """The names of the nodes in whose name one of the patterns is found, or that are of one of the types.

    Args:
        patterns: regular expressions, looked for anywhere in a name.
        types: operation types as OpenVINO calls them, such as ``Multiply``.
        path: the model, for messages.

    Raises:
        UsageError: a pattern is no regular expression, or a pattern or type matches nothing: then the network is not
            the one it was written for, and what it was to protect would be quantised without a word.
    """
    nodes = [(node.get_friendly_name(), node.get_type_name()) for node in graph.get_ordered_ops()]
    nodes = [(name, kind) for name, kind in nodes if kind not in ("Constant", "Parameter", "Result")]
    ignored: set[str] = set()
    for pattern in patterns:
        found = [name for name, _ in nodes if _compiled(pattern).search(name)]
        if not found:
            names = sorted({_shortened(name) for name, _ in nodes})
            shown = ", ".join(names[:: max(1, len(names) // _SHOWN)][:_SHOWN])
            raise UsageError(
                f"{path}: no node matches the ignored pattern {pattern!r}; correct it in the template's "
                f"quantization.ignored_patterns. Some of its nodes: {shown}"
            )
        ignored.update(found)
    for wanted in types:
        found = [name for name, kind in nodes if kind == wanted]
        if not found:
            raise UsageError(
                f"{path}: has no node of the ignored type {wanted!r}; correct the template's "
                f"quantization.ignored_types. Its types: {', '.join(sorted({kind for _, kind in nodes}))}"
            )
        ignored.update(found)
    return sorted(ignored)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise UsageError(f"the ignored pattern {pattern!r} is no regular expression: {error}") from error


def _shortened(name: str) -> str:
    """The module's path alone: an operation's name adds what would fill a message."""
    return name.split("/")[0]
