"""Template files: finding, reading, validating and overriding them.

`find_templates` and what else `listing` holds is light; the names that need pydantic are imported on first use,
so that `otx find` answers at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otx_seg.template.listing import TemplateSummary, default_template, find_template_file, find_templates

if TYPE_CHECKING:
    from otx_seg.template.parameters import (
        USED_BY,
        USED_TO_QUANTIZE,
        Parameter,
        list_parameters,
        list_settings,
    )
    from otx_seg.template.template import Settings, Template, from_dict, load

_LATE = {"Settings": "template", "Template": "template", "load": "template", "from_dict": "template"}
_LATE |= {"Parameter": "parameters", "list_parameters": "parameters", "list_settings": "parameters"}
_LATE |= {"USED_BY": "parameters", "USED_TO_QUANTIZE": "parameters"}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_LATE[name]}"), name)


__all__ = [
    "USED_BY",
    "USED_TO_QUANTIZE",
    "Parameter",
    "Settings",
    "Template",
    "TemplateSummary",
    "default_template",
    "find_template_file",
    "find_templates",
    "from_dict",
    "list_parameters",
    "list_settings",
    "load",
]
