"""The scales of an image that a network looks at, in the `model:` part of a template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from otx_seg.errors import UsageError
from otx_seg.runtime.plain_files import shown

TRAIN_SCALES, _TEST_SCALES = "train_scales", "test_scales"
_SMALLEST, _LARGEST = 0.25, 4.0


def scale_outputs(train_scales: Any) -> tuple[str, ...]:
    """What the outputs of single scales are called, in the order of `train_scales`; none if there are no such."""
    number = len(train_scales) if isinstance(train_scales, (list, tuple)) else 0
    return tuple(f"scale_{index}" for index in range(number))


def check_scales(scales: Any) -> None:
    """
    Raises:
        ValueError: they are not one or more different factors of the size of an image, 0.25 to 4.
    """
    meant = f"scales are different numbers from {_SMALLEST:g} to {_LARGEST:g}, such as 0.5, 1"
    if not isinstance(scales, (list, tuple)) or not scales:
        raise ValueError(f"{shown(scales)}: {meant}")
    for scale in scales:
        is_number = isinstance(scale, (int, float)) and not isinstance(scale, bool)
        if not is_number or not _SMALLEST <= scale <= _LARGEST or scales.count(scale) > 1:
            raise ValueError(f"{shown(scale)} in {shown(list(scales))}: {meant}")


def parse_scales(text: str | None) -> list[float] | None:
    """Read ``0.5,1,2``; None for None.

    Raises:
        UsageError: something else.
    """
    if text is None:
        return None
    try:
        scales = [float(word) for word in text.split(",")]
        check_scales(scales)
    except ValueError as error:
        raise UsageError(f"scales: {shown(text)}: give different numbers, such as 0.5,1,2 ({error})") from error
    return scales


def with_test_scales(model: dict[str, Any], scales: Sequence[float], where: str) -> dict[str, Any]:
    """The `model:` part of a template whose network looks at other scales.

    Args:
        where: the template, for messages.

    Raises:
        UsageError: its network looks at an image once.
    """
    if _TEST_SCALES not in model:
        raise UsageError(
            f"{where}: its network looks at an image at one scale; scales are for networks that have learned to mix "
            "several, such as HRNet-W48-MS-OCR (--tta averages several for every network)"
        )
    return {**model, _TEST_SCALES: list(scales)}
