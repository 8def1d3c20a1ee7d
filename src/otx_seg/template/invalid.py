"""What is wrong with a file, for people: the first thing that its schema refuses, as one line."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError

from otx_seg.catalogue import nearest
from otx_seg.runtime.plain_files import shown
from otx_seg.runtime.terminal import printable
from otx_seg.template.group import AUTO, extra, plain_name

_LONGEST_KEY = 60


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """One line for the first problem: key, what is wrong, what is possible."""
    return explained(error, model)[1]


def explained(error: ValidationError, model: type[BaseModel]) -> tuple[str, str]:
    """The dotted key of the first problem, and what `explain` says of it."""
    first, *others = error.errors()
    same = (first, *(other for other in others if other["loc"][:1] == first["loc"][:1]))
    problem = max(same, key=lambda each: len(each["loc"]))  # of a union, the type that goes furthest is meant
    types = [part for part in problem["loc"] if "[" in str(part)]  # which of the union it is
    location = [printable(str(part), _LONGEST_KEY) for part in problem["loc"] if part not in types]
    key = ".".join(location)
    if not location:
        return key, str(problem["msg"])
    if problem["type"] == "extra_forbidden":
        return key, f"unknown key {shown(key)}; {nearest(location[-1], _keys_beside(model, location))}"
    if problem["type"] == "missing":
        return key, f"the key {key!r} is missing"
    field = _field(model, location)
    told = key if field is None else ".".join((*location[:-1], plain_name(location[-1], field)))
    message = problem["msg"].removeprefix("Value error, ")[:300]
    limits = describe_range(field) if field is not None else ""
    if field is not None and field.description and problem["type"].endswith("_type"):
        message += f": {field.description.splitlines()[0]}"  # limits alone do not say what kind of value it is
    possible = f" (possible: {limits})" if limits else ""
    return key, f"{told}: {shown(problem['input'])} is not usable: {message}{possible}"


def _keys_beside(model: type[BaseModel], location: list[str]) -> list[str]:
    section = _section(model, location)
    return [] if section is None else list(_fields(section))


def _field(model: type[BaseModel], location: list[str]) -> Any:
    section = _section(model, location)
    return None if section is None else _fields(section).get(location[-1])


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """The fields of a schema class by what they are called in files."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _section(model: type[BaseModel], location: list[str]) -> type[BaseModel] | None:
    """The schema class that the last part of a location is a key of, if it is one."""
    found: Any = model
    for part in location[:-1]:
        if get_origin(found) is dict:
            found = get_args(found)[1]
        elif isinstance(found, type) and issubclass(found, BaseModel) and part in _fields(found):
            found = _fields(found)[part].annotation
        else:
            return None
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def describe_range(field: Any) -> str:
    """The values a field of a schema class can take, such as ``1 to 512`` or ``Performance | Mixed``."""
    if extra(field).get("decided"):
        return " | ".join(part for part in (AUTO, _range_of_values(field)) if part)
    return _range_of_values(field)


def _range_of_values(field: Any) -> str:
    options = getattr(field.annotation, "__args__", ())
    if getattr(field.annotation, "__origin__", None) is Literal:
        return " | ".join(map(str, options))
    if extra(field).get("choices"):
        return " | ".join(map(str, extra(field)["choices"]))
    if field.annotation is bool:
        return "True | False"
    limits = {
        name: getattr(item, name) for item in field.metadata for name in ("ge", "gt", "le", "lt") if hasattr(item, name)
    }
    if not limits:
        return ""
    low = limits.get("ge", f"above {limits['gt']}" if "gt" in limits else "any")
    high = limits.get("le", f"below {limits['lt']}" if "lt" in limits else "any")
    return f"{low} to {high}"
