"""The hyper-parameters of a template as a flat list: what listings, command-line help and docs are made from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from otx_seg.template.group import extra, plain_name
from otx_seg.template.invalid import describe_range
from otx_seg.template.template import Template

_READING = tuple(f"learning_parameters.{name}" for name in ("num_workers", "auto_num_workers", "use_otx_adapter"))

_QUANTIZING = (
    "pot_parameters.preset",
    "pot_parameters.stat_subset_size",
    "nncf_optimization.maximal_accuracy_degradation",
    "learning_parameters.watch",
)

USED_TO_QUANTIZE: dict[str, tuple[str, ...]] = {
    ".xml": (*_QUANTIZING, "pot_parameters.weight_bits", "nncf_optimization.accuracy_control_minutes", *_READING),
    ".pth": (
        *_QUANTIZING,
        "nncf_optimization.learning_rate",
        "nncf_optimization.num_epochs",
        "nncf_optimization.batch_norm_epochs",
        "nncf_optimization.enable_pruning",
        "nncf_optimization.pruning_ratio",
        "nncf_optimization.pruning_supported",
        "learning_parameters.batch_size",
        "learning_parameters.auto_adapt_batch_size",
        "algo_backend.mem_cache_size",
        *_READING,
    ),
}
"""The hyper-parameters that `otx optimize` looks at, by what it is given: the others would do nothing."""

USED_BY: dict[str, tuple[str, ...]] = {
    "eval": ("learning_parameters.inference_batch_size", *_READING),
    "optimize": tuple(dict.fromkeys((*USED_TO_QUANTIZE[".pth"], *USED_TO_QUANTIZE[".xml"]))),
}
"""The hyper-parameters that each verb after the training looks at; it refuses the others, which would do nothing."""


@dataclass(frozen=True)
class Parameter:
    """One hyper-parameter of a template.

    Attributes:
        name: ``group.name`` in the template.
        value: the template's value.
        kind: ``int``, ``float``, ``bool``, ``text``, ``choice``, ``list`` or ``mapping``.
        possible: the range or the choices, empty if any.
        meaning: what it does.
        group: what its group is about; empty outside the hyper-parameters.
        plain: what people are told it is called, which can be written for `name` wherever that is given.
    """

    name: str
    value: Any
    kind: str
    possible: str
    meaning: str
    group: str = ""
    plain: str = ""

    @property
    def names(self) -> str:
        """How listings call it: by its plain name, with the other one, if it has one, behind it."""
        return self.plain if self.plain == self.name else f"{self.plain} (or {self.name.rpartition('.')[2]})"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def list_parameters(template: Template, verb: str = "train") -> list[Parameter]:
    """The hyper-parameters of the template that can be set for a verb, in the order of the schema; all for `train`."""
    every = [
        replace(item, group=(group.__doc__ or "").split("\n")[0])
        for name, group in template.hyper_parameters
        for item in _described(group, f"{name}.")
    ]
    used = USED_BY.get(verb, tuple(item.name for item in every))
    return [item for item in every if item.name in used]


def list_settings(template: Template) -> list[Parameter]:
    """The other settings of a template for training and quantisation; they are changed in a copy of the file."""
    settings = _described(template, "")
    for name in ("schedule", "pretrained", "quantization"):
        settings += _described(getattr(template, name), f"{name}.")
    return [setting for setting in settings if setting.meaning and setting.name != "model"]


def _described(section: BaseModel, prefix: str) -> list[Parameter]:
    values = section.model_dump(mode="json")
    return [
        Parameter(
            name=f"{prefix}{name}",
            value=values[name],
            kind="choice" if extra(field).get("choices") else _kind(field.annotation),
            possible=f"only {field.default}" if extra(field).get("inactive") else describe_range(field),
            meaning=field.description or "",
            plain=f"{prefix}{plain_name(name, field)}",
        )
        for name, field in type(section).model_fields.items()
    ]


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "choice"
    options = [option for option in get_args(annotation) if option is not type(None)]
    if get_origin(annotation) is UnionType and len(options) == 1:
        return _kind(options[0])
    if get_origin(annotation) is tuple:
        return "list"
    if get_origin(annotation) is dict:
        return "mapping"
    return {int: "int", float: "float", bool: "bool", str: "text"}.get(annotation, "section")
