"""The plain names of hyper-parameters whose own names mislead: `epochs` for `num_iters`.

What people give may have either name. What a run records has the schema's own, as the code does.
"""

from __future__ import annotations

import functools
from typing import Any

from otx_seg.errors import UsageError
from otx_seg.template.group import plain_name
from otx_seg.template.hyper_parameters import HyperParameters

_SECTIONS = ("hyper_parameters", "search_space")


def plainly(name: str) -> str:
    """What people are told a hyper-parameter is called; both names are dotted. Unknown names stay."""
    return next((plain for plain, own in _dotted().items() if own == name), name)


def in_short(name: str) -> str:
    """The same without the group."""
    return plainly(name).rpartition(".")[2]


def by_own_names(values: dict[str, Any]) -> dict[str, Any]:
    """Values by dotted name, with the schema's own names in place of plain ones.

    Raises:
        UsageError: a hyper-parameter is given by both names.
    """
    return _renamed(values, _dotted(), "")


def sections_by_own_names(content: dict[str, Any], where: str) -> dict[str, Any]:
    """The content of a template file with the schema's own names, in its values and in the ranges of its search.

    Args:
        where: names the file in messages.

    Raises:
        UsageError: a hyper-parameter is given by both names.
    """

    def renamed(section: Any) -> Any:
        if not isinstance(section, dict):
            return section  # which the schema refuses
        return {
            group: _renamed(held, _own_names()[group], f"{where}: {group}.")
            if isinstance(held, dict) and group in _own_names()
            else held
            for group, held in section.items()
        }

    return {key: renamed(section) if key in _SECTIONS else section for key, section in content.items()}


def _renamed(values: dict[str, Any], own_names: dict[str, str], where: str) -> dict[str, Any]:
    for plain, own in own_names.items():
        if plain in values and own in values:
            raise UsageError(f"{where}{plain} and {own} are two names of the same parameter; give one of them")
    return {own_names.get(name, name): value for name, value in values.items()}


def _dotted() -> dict[str, str]:
    """Own names by plain names."""
    return {
        f"{group}.{plain}": f"{group}.{own}" for group, names in _own_names().items() for plain, own in names.items()
    }


@functools.cache
def _own_names() -> dict[str, dict[str, str]]:
    """The same by group, without the group in the names."""
    found: dict[str, dict[str, str]] = {}
    for group, section in HyperParameters.model_fields.items():
        held: Any = section.annotation
        fields = held.model_fields
        found[group] = {plain_name(own, field): own for own, field in fields.items() if plain_name(own, field) != own}
    return found
