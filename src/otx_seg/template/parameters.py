"""The hyper-parameters of a template as a flat list: what listings, command-line help and docs are made from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_origin

from otx_seg.template.template import Template, describe_range


@dataclass(frozen=True)
class Parameter:
    """One hyper-parameter of a template.

    Attributes:
        name: ``group.name`` as written after `params`.
        value: the template's value.
        kind: ``int``, ``float``, ``bool``, ``text`` or ``choice``.
        possible: the range or the choices, empty if any.
        meaning: what it does.
    """

    name: str
    value: Any
    kind: str
    possible: str
    meaning: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def list_parameters(template: Template) -> list[Parameter]:
    """Every hyper-parameter of the template, in the order of the schema."""
    found = []
    for group_name, group in template.hyper_parameters:
        for name, field in type(group).model_fields.items():
            inactive = isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("inactive")
            value = getattr(group, name)
            found.append(
                Parameter(
                    name=f"{group_name}.{name}",
                    value=value,
                    kind=_kind(field.annotation),
                    possible=f"only {value}" if inactive else describe_range(field),
                    meaning=field.description or "",
                )
            )
    return found


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "choice"
    return {int: "int", float: "float", bool: "bool", str: "text"}[annotation]
