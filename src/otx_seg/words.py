"""Numbers in sentences."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

_SMALLEST_SHARE = 1e-5  # shown with its digits


def count(number: float, noun: str) -> str:
    """A number with its noun, which is in the plural unless there is just one: 1 image, 2,000 images, 0.5 minutes."""
    plural = "es" if noun.endswith(("s", "x")) else "s"
    return f"{number:,.10g} {noun}{'' if number == 1 else plural}"


def label_share(share: float) -> str:
    """A share as percent: 0, <0.001, 0.0026, 0.43, 12.3."""
    if share == 0:
        return "0"
    if share < _SMALLEST_SHARE:
        return f"<{100 * _SMALLEST_SHARE:g}"
    return f"{100 * share:.1f}" if share >= 0.01 else f"{100 * share:#.2g}"


def listed(values: Collection[object], most: int = 10) -> str:
    """Values with commas between them, and how many more there are than so many: a, b and 5 more."""
    more = f" and {len(values) - most:,} more" if len(values) > most else ""
    return ", ".join(map(str, islice(values, most))) + more
