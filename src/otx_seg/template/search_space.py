"""Which hyper-parameters a search tries out, and between which values."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from otx_seg.catalogue import nearest
from otx_seg.errors import UsageError
from otx_seg.template.extending import Origin
from otx_seg.template.hyper_parameters import HyperParameters

LEARNING_RATE = "learning_parameters.learning_rate"
BATCH_SIZE = "learning_parameters.batch_size"

SEARCHABLE = (
    LEARNING_RATE,
    BATCH_SIZE,
    "learning_parameters.unlabeled_batch_size",
    "learning_parameters.ema_keep",
    "semi_supervised",
    "prototypes",
    "supervised_contrast",
    "region_contrast",
)
"""Parameters and whole groups of them that change what a training of given length learns."""

Space = dict[str, "Range"]
"""Ranges by dotted name."""


class Range(BaseModel):
    """The values between which a parameter is searched, both included."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    low: float = Field(description="smallest value")
    high: float = Field(description="largest value")
    log: bool = Field(False, description="whether values are drawn on a logarithmic scale")


def check_search_space(section: dict[str, dict[str, Range]], origin: Origin) -> None:
    """Refuse what cannot be searched.

    Args:
        section: `search_space` of a template.
        origin: where its values stand, for messages.

    Raises:
        UsageError: an unknown parameter, one that cannot be searched, or a range that its values cannot have.
    """
    known = [name for name, value in values_by_name(HyperParameters()).items() if _is_searchable(name, value)]
    for name, range_ in flat(section).items():
        key = f"{origin.of(f'search_space.{name}')}: search_space.{name}"
        if name not in known:
            raise UsageError(f"{key}: cannot be searched; {nearest(name, known)}")
        if not range_.low < range_.high:
            raise UsageError(f"{key}: low = {range_.low:g} must be below high = {range_.high:g}")
        if range_.log and range_.low <= 0:
            raise UsageError(f"{key}: a logarithmic range must start above 0, not at low = {range_.low:g}")
        whole = isinstance(values_by_name(HyperParameters())[name], int)
        for end, value in (("low", range_.low), ("high", range_.high)):
            if whole and value != int(value):
                raise UsageError(f"{key}: {end} = {value:g} must be an integer")
            if not _is_possible(name, value):
                lowest, highest = limits(name)
                raise UsageError(f"{key}: {end} = {value:g} is not within {lowest:g} to {highest:g}")


def flat(section: dict[str, dict[str, Range]]) -> Space:
    """`search_space` of a template by dotted name."""
    return {f"{group}.{name}": range_ for group, ranges in section.items() for name, range_ in ranges.items()}


def values_by_name(parameters: HyperParameters) -> dict[str, Any]:
    """The values by dotted name; for those that are left open the usual ones, since what they may be is not open."""
    return {f"{group}.{name}": getattr(held, name) for group, held in parameters for name in type(held).model_fields}


def _is_searchable(name: str, value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and (name in SEARCHABLE or name.split(".")[0] in SEARCHABLE)


def _is_possible(name: str, value: float) -> bool:
    group, field = name.split(".")
    section: Any = HyperParameters.model_fields[group].annotation
    try:
        section.model_validate({field: value})
    except ValidationError:
        return False
    return True


def limits(name: str) -> tuple[float, float]:
    """The smallest and the largest value the schema allows for a number, by dotted name."""
    group, field = name.split(".")
    section: Any = HyperParameters.model_fields[group].annotation
    metadata = section.model_fields[field].metadata
    low = next(getattr(item, key) for item in metadata for key in ("ge", "gt") if hasattr(item, key))
    high = next(getattr(item, key) for item in metadata for key in ("le", "lt") if hasattr(item, key))
    return float(low), float(high)
