"""The backbones a template can have: those of mmseg's registry, and our own.

Known good are those of ``known_backbones.yaml`` and those of the shipped templates.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import mmseg.models.backbones
import yaml
from mmseg.registry import MODELS

import otx_seg.models.backbones
from otx_seg import template as templates
from otx_seg.catalogue import nearest
from otx_seg.errors import UsageError
from otx_seg.models.build import check_types, register_ours
from otx_seg.template.template import Pretrained
from otx_seg.template.yaml_files import read_yaml

Family = Literal["mmseg", "otx"]
FAMILIES: tuple[Family, ...] = ("mmseg", "otx")

_NOT_HERE = ("self", "pretrained")  # weights to start from have a place of their own in a template
_FILES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Backbone:
    """A class of backbones.

    Attributes:
        type: its name in the registry.
        required: constructor arguments without a default.
        options: the others, with their defaults.
        known: names of configurations that were tried.
        unusable: why it cannot be used; empty if it can, as far as is known.
    """

    type: str
    required: tuple[str, ...]
    options: dict[str, Any]
    known: tuple[str, ...]
    unusable: str

    def as_json(self) -> dict[str, Any]:
        options = {name: value if isinstance(value, _PLAIN) else str(value) for name, value in self.options.items()}
        return {**asdict(self), "options": options}


_PLAIN = (int, float, str, bool, type(None))


@dataclass(frozen=True)
class ChosenBackbone:
    """One configuration of a backbone.

    Attributes:
        name: what it is called.
        config: argument of the registry.
        weights: where published weights are.
        normalisation: the `data_preprocessor` of the images that it learned from; None: not known.
    """

    name: str
    config: dict[str, Any]
    weights: Pretrained = field(default_factory=Pretrained)
    normalisation: dict[str, Any] | None = None


def list_backbones(family: Family) -> list[Backbone]:
    """All backbones of mmseg, or all of this toolkit, by name."""
    register_ours()
    names = mmseg.models.backbones.__all__ if family == "mmseg" else _ours()
    unusable, known = _tried()["unusable"], known_backbones()
    found = []
    for name in sorted(names, key=str.lower):
        required, options = constructor_arguments(MODELS.module_dict[name])
        configurations = tuple(chosen.name for chosen in known.values() if chosen.config["type"] == name)
        found.append(Backbone(name, required, options, configurations, unusable.get(name, "")))
    return found


def _every_type() -> list[Backbone]:
    return [backbone for family in FAMILIES for backbone in list_backbones(family)]


def _ours() -> list[str]:
    """What `otx_seg.models.backbones` has registered."""
    package = f"{otx_seg.models.backbones.__name__}."
    return [name for name, cls in MODELS.module_dict.items() if cls.__module__.startswith(package)]


@functools.cache
def _tried() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(
        (Path(__file__).parent / "known_backbones.yaml").read_text(encoding="utf-8")
    )
    return content


def known_backbones() -> dict[str, ChosenBackbone]:
    """The configurations that were tried, by name in lower case."""
    usual = _tried()["normalisation"]
    found = [
        ChosenBackbone(name, entry["backbone"], Pretrained(**entry.get("weights", {})), usual)
        for name, entry in _tried()["known"].items()
    ]
    for summary in templates.find_templates():
        shipped = templates.load(summary.path)
        backbone, normalisation = shipped.model["backbone"], shipped.model["data_preprocessor"]
        found.append(ChosenBackbone(shipped.name, backbone, shipped.pretrained, normalisation))
    return {chosen.name.lower(): chosen for chosen in found}


def constructor_arguments(cls: type) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The arguments of a class without a default, and those with one; those that it hands on to its parents too."""
    required: list[str] = []
    options: dict[str, Any] = {}
    for parent in cls.__mro__:
        if "__init__" not in vars(parent):
            continue
        parameters = list(inspect.signature(vars(parent)["__init__"]).parameters.values())
        for parameter in parameters:
            if parameter.name in (*options, *_NOT_HERE) or parameter.kind in (
                parameter.VAR_POSITIONAL,
                parameter.VAR_KEYWORD,
            ):
                continue
            if parameter.default is parameter.empty:
                required += [parameter.name] if parameter.name not in required else []
            else:
                options[parameter.name] = parameter.default
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return tuple(required), options


def choose_backbone(name: str | Path) -> ChosenBackbone:
    """The backbone with that name, or in that file.

    Args:
        name: a known configuration (``ResNet-18``) or a type (``CGNet``, ``mmseg.CGNet``), both in any case; or the
            path of a YAML or JSON file that holds a type and its arguments.

    Raises:
        UsageError: no such backbone, one that cannot be used, or one without all of its arguments.
    """
    if isinstance(name, Path) or name.lower().endswith(_FILES):
        return _from_file(Path(name))
    register_ours()
    bare = name.rsplit(".", 1)[-1] if name.lower().startswith(tuple(f"{family}." for family in FAMILIES)) else name
    known = known_backbones()
    if bare.lower() in known:
        return known[bare.lower()]
    types = {backbone.type.lower(): backbone for backbone in _every_type()}
    if bare.lower() not in types:
        names = [chosen.name for chosen in known.values()] + [backbone.type for backbone in types.values()]
        raise UsageError(f"unknown backbone {name!r}; {nearest(bare, names)} (see `otx find --backbone mmseg`)")
    backbone = types[bare.lower()]
    _refuse_unusable(backbone, name)
    if backbone.required:
        lines = " and ".join(f"'{key}: ...'" for key in ("type", *backbone.required)).replace("...", backbone.type, 1)
        hint = f", or take one of those tried: {', '.join(backbone.known)}" if backbone.known else ""
        raise UsageError(
            f"the backbone {backbone.type} needs {', '.join(backbone.required)}: write the lines {lines} into a file, "
            f"say backbone.yaml, and give --backbone backbone.yaml{hint}"
        )
    return ChosenBackbone(backbone.type, _on_one_process({"type": backbone.type}, backbone))


def _from_file(path: Path) -> ChosenBackbone:
    register_ours()
    config = read_yaml(path, "a backbone")
    check_types(config, str(path), "backbone")
    types = {backbone.type: backbone for backbone in _every_type()}
    named = config.get("type")
    if named not in types:
        raise UsageError(f"{path}: type: {named!r} is not a backbone; {nearest(str(named), list(types))}")
    backbone = types[named]
    _refuse_unusable(backbone, str(path))
    missing = [key for key in backbone.required if key not in config]
    if missing:
        raise UsageError(
            f"{path}: {backbone.type} needs {', '.join(missing)}; add {'them' if missing[1:] else 'it'} there"
        )
    arguments = [*backbone.required, *backbone.options]
    unknown = next((key for key in config if key not in ("type", *arguments)), None)
    if unknown is not None:
        raise UsageError(f"{path}: unknown key {unknown!r}; {nearest(unknown, arguments)}")
    return ChosenBackbone(path.stem, _on_one_process(config, backbone))


def _refuse_unusable(backbone: Backbone, name: str) -> None:
    if backbone.unusable:
        raise UsageError(f"{name}: the backbone {backbone.type} cannot be used: {backbone.unusable}")


def _on_one_process(config: dict[str, Any], backbone: Backbone) -> dict[str, Any]:
    """`config` with batch norms where the class would take synchronised ones, which need several GPUs."""
    default = backbone.options.get("norm_cfg")
    if "norm_cfg" in config or not isinstance(default, dict) or default.get("type") != "SyncBN":
        return config
    return {**config, "norm_cfg": {"type": "BN"}}
