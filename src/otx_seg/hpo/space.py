"""What is searched for a template."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from otx_seg.template import Template
from otx_seg.template.search_space import BATCH_SIZE, LEARNING_RATE, Range, Space, flat, limits, values_by_name

_DEFAULT_FACTOR = 10.0
"""How far the learning rate is searched in both directions where a template says nothing, ..."""

_USUAL_RATES = (1e-4, 1e-2)
"""... and between which values at least, so that the search leaves a rate that is far off."""


def space_of(template: Template, images: int) -> Space:
    """What is searched for a template: its ranges, or those around its own values.

    Args:
        images: to train on; no batch is searched that is larger than that.
    """
    values = values_by_name(template.hyper_parameters)
    space = flat(template.search_space)
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
    values = values_by_name(template.hyper_parameters)
    return {name: values[name] for name in space}
