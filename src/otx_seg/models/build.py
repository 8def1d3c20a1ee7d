"""From a template to a network: mmseg's registry, with the door to arbitrary imports closed."""

from __future__ import annotations

import contextlib
import copy
import importlib
import io
import logging
import pkgutil
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mmengine.registry
import mmseg.models  # noqa: F401  fills the registry
from mmengine.logging import MMLogger
from mmseg.models.segmentors import CascadeEncoderDecoder, EncoderDecoder
from mmseg.registry import MODELS
from torch import nn
from torch.nn.modules import module as registration

import otx_seg.models
import otx_seg.template
from otx_seg.catalogue import nearest
from otx_seg.errors import UsageError
from otx_seg.models.segmentors import Segmentor
from otx_seg.models.single_value_norm import let_single_values_pass
from otx_seg.runtime.plain_files import number, shown
from otx_seg.template import Template
from otx_seg.template.heads import MAIN, Head, deployed_part, heads_of, heads_with_labels, with_heads

_OURS = "otx_seg."
_REGISTRIES = (MODELS, mmengine.registry.MODELS, mmengine.registry.WEIGHT_INITIALIZERS)
_FORBIDDEN_KEYS = {
    "_scope_": "templates use mmseg's registry only",
    "pretrained": "weights to start from are named by learning_parameters.pretrained and pretrained.url",
    "checkpoint": "weights to start from are named by learning_parameters.pretrained and pretrained.url",
}

_MOST_PARTS, _MOST_PARAMETERS = 8_000, 500_000_000
"""Of a network: layers and groups of them (Lite-HRNet-x has 2,200), and numbers that are learned."""

FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What networks raise that are given other numbers or names than they can work with."""


def build_model(template: str | Path | Template, num_classes: int, *, shipped_alone: bool = False) -> EncoderDecoder:
    """Build the network of a template with freshly initialised weights. Nothing is downloaded.

    Args:
        template: name, id or path of a template, or a template that has been read.
        num_classes: number of labels, background included; at least 2. See `heads_with_labels` for whose it is.
        shipped_alone: leave out the heads that exist in training alone.

    Returns:
        mmseg's EncoderDecoder (or CascadeEncoderDecoder) with `.backbone` and `.decode_head`; of an EncoderDecoder
        ``net.decode_head(net.backbone(x))`` takes normalised images (B, 3, H, W) to logits (B, num_classes, h, w).

    Raises:
        UsageError: unknown template, fewer than 2 labels, more where `learning_parameters.binary` is true, or a
            `model:` that cannot be built.
    """
    if not isinstance(template, Template):
        template = otx_seg.template.load(template)
    if num_classes < 2:
        raise UsageError(f"a network needs at least 2 labels to tell apart, got {num_classes}")
    register_ours()
    where = f"template {template.name}"
    model = copy.deepcopy(deployed_part(template.model) if shipped_alone else template.model)
    check_types(model, where)
    parts = [("backbone", model.get("backbone")), *((head.key, head.config) for head in heads_of(model))]
    for key, config in parts:
        if not isinstance(config, dict):
            raise UsageError(f"{where}: model.{key} has to be a mapping with a type")
    _check_normalisation(model.get("data_preprocessor"), where)
    for_labels, one_channel = heads_with_labels(model), _one_channel(template, num_classes)

    def sized(head: Head) -> dict[str, Any]:
        labels = {"num_classes": num_classes} if head in for_labels else {}
        return {**head.config, **labels, **(one_channel if head.output == MAIN else {})}

    return _build(with_heads(model, sized), where)


def _one_channel(template: Template, num_classes: int) -> dict[str, Any]:
    """What the main head gets beyond its number of labels if it tells two labels apart by one channel."""
    parameters = template.hyper_parameters.learning_parameters
    if not parameters.binary:
        return {}
    if num_classes != 2:
        raise UsageError(f"learning_parameters.binary is for two labels, and there are {num_classes}: set it to false")
    return {"out_channels": 1, "threshold": parameters.binary_threshold}


def check_types(model: dict[str, Any], where: str, root: str = "model") -> None:
    """Refuse types that mmseg's registry must not build, before any of `model` is looked up.

    A dotted type makes mmengine import that name, whatever it is, so only those of this package are let through.

    Args:
        model: the `model:` part of a template.
        where: its origin, for messages.
        root: what to call it in messages.

    Raises:
        UsageError: a dotted type outside ``otx_seg.``, a type no registry knows, or a key that loads weights.
    """
    known = [name for registry in _REGISTRIES for name in registry.module_dict]
    for key, value in _entries(model, root):
        name = key.rsplit(".", 1)[-1]
        if name in _FORBIDDEN_KEYS and value is not None:
            raise UsageError(f"{where}: {key}: {shown(value)} is not possible here; {_FORBIDDEN_KEYS[name]}")
        if name != "type":
            continue
        if not isinstance(value, str):
            raise UsageError(f"{where}: {key}: a type is the name of a class, not {shown(value)}")
        if "." in value and not value.startswith(_OURS):
            raise UsageError(
                f"{where}: {key}: {shown(value)} is not allowed; a type is a plain class name, or starts with {_OURS!r}"
            )
        if "." not in value and value not in known:
            raise UsageError(f"{where}: {key}: unknown type {shown(value)}; {nearest(value, known)}")


def _entries(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every (dotted key, value) of nested mappings and lists."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"{path}.{key}", item
            yield from _entries(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _entries(item, f"{path}.{index}")


def register_ours() -> None:
    """Import every module of this package, so that its classes enter the registry."""
    for module in pkgutil.walk_packages(otx_seg.models.__path__, f"{otx_seg.models.__name__}."):
        importlib.import_module(module.name)


def _quieten_mmengine() -> None:
    """Keep mmengine from reporting the origin of every single weight on the screen."""
    # Making its logger, it also mutes every handler of the root logger: those belong to the program around us.
    levels = [(handler, handler.level) for handler in logging.root.handlers]
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    for handler, level in levels:
        handler.setLevel(level)


def _build(model: dict[str, Any], where: str) -> EncoderDecoder:
    _quieten_mmengine()
    with mmengine.registry.DefaultScope.overwrite_default_scope("mmseg"), warnings.catch_warnings():
        # Advice on mmseg's own losses and thresholds, which are not used here.
        warnings.simplefilter("ignore", UserWarning)
        try:
            with _within_reason():
                network = MODELS.build(model)
        except FAULTS as error:
            raise UsageError(f"{where}: {_failing_part(model)} cannot be built: {said(error)}") from error
        is_usual = type(network) in (EncoderDecoder, CascadeEncoderDecoder)
        if not is_usual and not isinstance(network, Segmentor):  # others take keys that nothing here looks at
            known = "EncoderDecoder, CascadeEncoderDecoder or one of otx_seg.models.segmentors"
            raise UsageError(f"{where}: model.type: {shown(model.get('type'))} is not {known}")
        with contextlib.redirect_stdout(io.StringIO()):  # MSCAN prints here
            network.init_weights()
    let_single_values_pass(network)
    return network


@contextlib.contextmanager
def _within_reason() -> Iterator[None]:
    """Raise ValueError as soon as a network is being built that has more parts or parameters than any is trained with.

    A few numbers of a template can ask for terabytes. The memory of a parameter is not touched before it is registered.
    """
    parts = parameters = 0

    def count_part(*_: Any) -> None:
        nonlocal parts
        parts += 1
        if parts > _MOST_PARTS:
            raise ValueError(f"it has more than {_MOST_PARTS:,} parts")

    def count_parameter(_: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal parameters
        parameters += 0 if parameter is None else parameter.numel()
        if parameters > _MOST_PARAMETERS:
            raise ValueError(f"it has more than {_MOST_PARAMETERS:,} parameters")

    hooks = (
        registration.register_module_module_registration_hook(count_part),
        registration.register_module_parameter_registration_hook(count_parameter),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _check_normalisation(preprocessor: Any, where: str) -> None:
    """SegmentationNetwork takes `mean` and `std` from there."""
    if not isinstance(preprocessor, dict):
        raise UsageError(f"{where}: model.data_preprocessor has to be a mapping with type, mean and std")
    for key, lowest in (("mean", -1e6), ("std", 1e-6)):
        values = preprocessor.get(key)
        try:
            if not isinstance(values, (list, tuple)) or len(values) != 3:
                raise ValueError(f"it is {shown(values)}, not three numbers, of the red, green and blue channel")
            for value in values:
                number(value, lowest, 1e6, "one of its numbers")
        except ValueError as error:
            raise UsageError(f"{where}: model.data_preprocessor.{key}: {error}") from error


def _failing_part(model: dict[str, Any]) -> str:
    """The key of the part that cannot be built by itself either; ``model`` where each can."""
    parts = [("backbone", model["backbone"]), *((head.key, head.config) for head in heads_of(model))]
    for key, config in parts:
        try:
            with _within_reason():
                MODELS.build(copy.deepcopy(config))
        except FAULTS:
            return f"model.{key}"
    return "model"


def said(error: Exception) -> str:
    """The message of an error; of an assertion without a message, its condition."""
    if str(error):
        return " ".join(str(error).split())[:300]
    where = traceback.extract_tb(error.__traceback__)
    return (where[-1].line if where else None) or type(error).__name__
