"""Numbers of bytes as people write them."""

from __future__ import annotations

import pytest

from otx_seg.errors import UsageError
from otx_seg.template.byte_size import parse_byte_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("500", 500),
        ("7B", 7),
        ("1K", 1024),
        ("2kib", 2048),
        ("3kB", 3000),
        ("500MB", 500_000_000),
        ("1M", 1_048_576),
        ("1MiB", 1_048_576),
        (" 2 gb ", 2_000_000_000),
        ("1G", 1_073_741_824),
        ("1GiB", 1_073_741_824),
    ],
)
def test_units(text: str, size: int) -> None:
    assert parse_byte_size(text, "--mem-cache-size") == size


@pytest.mark.parametrize("text", ["", "MB", "-1", "1.5GB", "1TB", "0x10", "1 M B", "²"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--mem-cache-size: .* such as 500MB"):
        parse_byte_size(text, "--mem-cache-size")
