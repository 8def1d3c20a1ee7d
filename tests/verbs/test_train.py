"""What `train` makes of its arguments before anything is looked at."""

from __future__ import annotations

from typing import Any

import pytest

from otx_seg.errors import UsageError
from otx_seg.verbs.train import _CACHE, _with_cache


@pytest.mark.parametrize(
    ("parameters", "size", "expected"),
    [
        ({}, None, {}),
        ({_CACHE: 5}, None, {_CACHE: 5}),
        ({"a.b": 1}, 1000, {"a.b": 1, _CACHE: 1000}),
        ({}, "2MB", {_CACHE: 2_000_000}),
    ],
)
def test_the_memory_for_images_is_a_parameter(
    parameters: dict[str, Any], size: str | int | None, expected: dict[str, Any]
) -> None:
    assert _with_cache(parameters, size) == expected


def test_it_is_said_once() -> None:
    with pytest.raises(UsageError, match=r"--mem-cache-size and algo_backend.mem_cache_size are the same"):
        _with_cache({_CACHE: 5}, "5B")
