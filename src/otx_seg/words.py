"""Numbers in sentences."""

from __future__ import annotations


def count(number: float, noun: str) -> str:
    """A number with its noun, which is in the plural unless there is just one: 1 image, 2,000 images, 0.5 minutes."""
    return f"{number:,.10g} {noun}{'' if number == 1 else 's'}"
