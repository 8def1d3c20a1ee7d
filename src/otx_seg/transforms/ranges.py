"""Checks of the numbers that augmentations are constructed with."""

from __future__ import annotations

from collections.abc import Sequence


def number(name: str, value: float, lowest: float, highest: float) -> float:
    """`value` as a float if it is a number in lowest..highest.

    Raises:
        ValueError: it is not; the text names the argument, its value and what is allowed.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value <= highest:
        raise ValueError(f"{name} must be a number in {lowest:g}..{highest:g}, not {value!r}")
    return float(value)


def interval(name: str, value: Sequence[float], lowest: float, highest: float) -> tuple[float, float]:
    """`value` as (low, high) if it is a pair of numbers with lowest <= low <= high <= highest.

    Raises:
        ValueError: it is not; the text names the argument, its value and what is allowed.
    """
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 2:
        raise ValueError(f"{name} must be a pair [low, high], not {value!r}")
    low, high = (number(f"each end of {name}", end, lowest, highest) for end in value)
    if low > high:
        raise ValueError(f"{name} must be a pair [low, high] with low <= high, not {value!r}")
    return low, high
