"""A group of parameters: fixed values with ranges, some of which may be `auto` or inactive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.fields import FieldInfo

from otx_seg.catalogue import nearest

AUTO = "auto"
"""Stands for a value that is decided when a training begins, see `otx_seg.configuration`."""


@dataclass(frozen=True)
class Plain:
    """Annotates a field whose own name misleads: what people are told it is called. Both names can be given."""

    name: str


def plain_name(name: str, field: FieldInfo) -> str:
    """What people are told a field is called: its plain name, else its own."""
    return next((item.name for item in field.metadata if isinstance(item, Plain)), name)


def extra(field: FieldInfo) -> dict[str, Any]:
    """What a field says beside its type and range: ``inactive``, ``decided`` or ``choices``."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def inactive(value: Any, reason: str) -> Any:
    """A field that only takes `value` in this version; other values are refused with `reason`."""
    return Field(default=value, description=reason, json_schema_extra={"inactive": True})


def decided(default: Any, description: str, choices: tuple[str, ...] = (), **limits: Any) -> Any:
    """A field that auto-configuration decides on unless it is set; `default` holds where nothing decides.

    Args:
        choices: the values it can take, if they are not all of its type.
    """
    return Field(default, description=description, json_schema_extra={"decided": True, "choices": [*choices]}, **limits)


class Group(BaseModel):
    """A named group of parameters: immutable, without unknown keys.

    A parameter that is decided automatically is left open by not setting it, or by setting it to ``auto``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_open(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if not (value == AUTO and name in cls.can_be_open())}

    @classmethod
    def can_be_open(cls) -> tuple[str, ...]:
        """The parameters that can be left open."""
        fields = cls.model_fields.items()
        return tuple(name for name, field in fields if extra(field).get("decided"))

    @property
    def left_open(self) -> tuple[str, ...]:
        """The parameters that are left open."""
        return tuple(name for name in self.can_be_open() if name not in self.model_fields_set)

    @model_serializer(mode="wrap")
    def _tell_what_is_open(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: AUTO if name in self.left_open else value for name, value in plain(self).items()}

    @field_validator("*", mode="after")
    @classmethod
    def _refuse_inactive(cls, value: Any, info: ValidationInfo) -> Any:
        field = cls.model_fields[info.field_name or ""]
        if extra(field).get("inactive") and value != field.default:
            raise ValueError(f"only {field.default!r} is possible: {field.description}")
        choices = extra(field).get("choices")
        if choices and value not in choices:
            raise ValueError(f"there is none of that name; {nearest(str(value), choices)}")
        return value
