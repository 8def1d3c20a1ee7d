"""The shipped templates as parameters of tests; in a usual run, only as many as it takes to have each kind of part."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import pytest

from otx_seg.template import find_templates, load


@cache
def representatives() -> frozenset[str]:
    """The smallest templates that together have every type of network, backbone, head and layer that is named."""
    chosen, seen = set(), set()
    for summary in find_templates():
        kinds = set(_types(load(summary.name).model))
        if not kinds <= seen:
            chosen.add(summary.name)
            seen |= kinds
    return frozenset(chosen)


def _types(value: Any) -> list[str]:
    """Every class that is named anywhere in the `model:` part of a template."""
    if isinstance(value, dict):
        own = [value["type"]] if isinstance(value.get("type"), str) else []
        return own + [name for item in value.values() for name in _types(item)]
    return [name for item in value for name in _types(item)] if isinstance(value, (list, tuple)) else []


def template_names(largest: float = math.inf) -> list[Any]:
    """The name of every template, those that are no representatives marked as slow.

    Args:
        largest: GFLOPs from which on those that are representatives are marked too.
    """
    usual = {item.name for item in find_templates() if item.gigaflops <= largest} & representatives()
    names = [summary.name for summary in find_templates()]
    return [pytest.param(name, marks=() if name in usual else pytest.mark.slow) for name in names]
