"""Which hyper-parameters a search tries out, and between which values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from otx_seg.catalogue import nearest
from otx_seg.errors import UsageError
from otx_seg.template.hyper_parameters import HyperParameters

if TYPE_CHECKING:
    from otx_seg.template.template import Template

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

_DEFAULT_FACTOR = 10.0
"""How far the learning rate is searched in both directions where a template says nothing, ..."""

_USUAL_RATES = (1e-4, 1e-2)
"""... and between which values at least, so that the search leaves a rate that is far off."""

Space = dict[str, "Range"]
"""Ranges by dotted name."""


class Range(BaseModel):
    """The values between which a parameter is searched, both included."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    low: float = Field(description="smallest value")
    high: float = Field(description="largest value")
    log: bool = Field(False, description="whether values are drawn evenly on a logarithmic scale")


def check_search_space(section: dict[str, dict[str, Range]], where: str) -> None:
    """Refuse what cannot be searched.

    Args:
        section: `search_space` of a template.
        where: its origin, for messages.

    Raises:
        UsageError: an unknown parameter, one that cannot be searched, or a range that its values cannot have.
    """
    known = [name for name, value in _values(HyperParameters()).items() if _is_searchable(name, value)]
    for name, range_ in _flat(section).items():
        key = f"{where}: search_space.{name}"
        if name not in known:
            raise UsageError(f"{key}: cannot be searched; {nearest(name, known)}")
        if not range_.low < range_.high:
            raise UsageError(f"{key}: low = {range_.low:g} has to be below high = {range_.high:g}")
        if range_.log and range_.low <= 0:
            raise UsageError(f"{key}: a logarithmic range begins above 0, not at low = {range_.low:g}")
        whole = isinstance(_values(HyperParameters())[name], int)
        for end, value in (("low", range_.low), ("high", range_.high)):
            if whole and value != int(value):
                raise UsageError(f"{key}: {end} = {value:g} has to be a whole number")
            if not _is_possible(name, value):
                lowest, highest = limits(name)
                raise UsageError(f"{key}: {end} = {value:g} is not within {lowest:g} to {highest:g}")


def space_of(template: Template, images: int) -> Space:
    """What is searched for a template: its ranges, or those around its own values.

    Args:
        images: to train on; no batch is searched that is larger than that.
    """
    values = _values(template.hyper_parameters)
    space = _flat(template.search_space)
    if not space:
        lowest, highest = limits(LEARNING_RATE)
        rate = values[LEARNING_RATE]
        space[LEARNING_RATE] = Range(
            low=max(min(rate / _DEFAULT_FACTOR, _USUAL_RATES[0]), lowest),
            high=min(max(rate * _DEFAULT_FACTOR, _USUAL_RATES[1]), highest),
            log=True,
        )
    if BATCH_SIZE in space:
        high = min(space[BATCH_SIZE].high, images)
        space[BATCH_SIZE] = space[BATCH_SIZE].model_copy(update={"high": high})
        if high <= space[BATCH_SIZE].low:
            del space[BATCH_SIZE]  # so few images leave nothing to choose
    return space


def values_of(template: Template, space: Iterable[str]) -> dict[str, Any]:
    """The template's own values of what is searched, by dotted name."""
    values = _values(template.hyper_parameters)
    return {name: values[name] for name in space}


def _flat(section: dict[str, dict[str, Range]]) -> Space:
    return {f"{group}.{name}": range_ for group, ranges in section.items() for name, range_ in ranges.items()}


def _values(parameters: HyperParameters) -> dict[str, Any]:
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
