"""How those who wait are told of what takes long."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, and the numbers of images done and to do."""


def counter(what: str, total: int, progress: Progress | None) -> Callable[[int], None] | None:
    """What tells `progress` that so many of `total` are done, and of what."""
    return None if progress is None else lambda done: progress(what, done, total)
