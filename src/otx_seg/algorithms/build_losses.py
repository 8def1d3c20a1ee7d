"""The losses of an output, as a template lists them."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
from torch import nn

from otx_seg import catalogue
from otx_seg.algorithms.pixel_losses import PixelLosses, Target, WeightedLoss
from otx_seg.errors import UsageError
from otx_seg.template import Template
from otx_seg.template.heads import MAIN
from otx_seg.template.hyper_parameters import DistillationParameters
from otx_seg.template.losses import class_of

_LOSSES, _TARGETS, _DISTILLATION = "otx_seg.losses", "otx_seg.targets", "otx_seg.distillation_losses"
_TRIED_SIDE = 32  # pixels; every loss can compare images that are so large


def build_losses(template: Template, output: str, channels: int, label_weights: Sequence[float]) -> PixelLosses:
    """Construct the losses of one output.

    Args:
        output: its name.
        channels: number of its channels.
        label_weights: how much the pixels of each label count, in index order.

    Raises:
        UsageError: an unknown loss or target, wrong arguments, or a loss that cannot compare such an output with a mask
            of these labels.
    """
    losses = []
    for number, arguments in enumerate(template.losses_by_output[output]):
        place = f"losses.{output}" if isinstance(template.losses, dict) else "losses"
        where = f"template {template.name}: {place}[{number}]"
        if output == MAIN and not template.lists_main_losses:
            where = f"learning_parameters.loss={template.hyper_parameters.learning_parameters.loss}"
        arguments = dict(arguments)
        weight, target = arguments.pop("weight", None), _build_target(arguments.pop("target", None), where)
        if not isinstance(weight, (int, float)) or isinstance(weight, bool) or weight <= 0:
            raise UsageError(f"{where}: needs a number above 0 as weight, not {weight!r}")
        loss = _build_loss(arguments, label_weights, where)
        one_channel = template.hyper_parameters.learning_parameters.binary and output == MAIN
        by_log_odds = channels == 2 and getattr(loss, "compares_sigmoids" if one_channel else "is_binary", False)
        loss = WeightedLoss(float(weight), loss, target, by_log_odds)
        _try_loss(loss, channels, len(label_weights), where)
        losses.append(loss)
    return PixelLosses(losses)


def build_distillation_loss(parameters: DistillationParameters) -> nn.Module:
    """Construct the loss between a student and its teacher."""
    arguments = {"type": class_of(parameters.loss), "temperature": parameters.temperature}
    loss: nn.Module = catalogue.build(_DISTILLATION, arguments, f"distillation.loss={parameters.loss}")
    return loss


def takes_label_weights(template: Template) -> bool:
    """Whether a loss of the template uses label weights."""
    return any(_is_weighted(arguments) for arguments in chain.from_iterable(template.losses_by_output.values()))


def _is_weighted(arguments: dict[str, Any]) -> bool:
    """Whether label weights are handed to a loss: those that can do without have to ask for them by `weighted`."""
    parameter = _weights_parameter(arguments)
    return parameter is not None and bool(arguments.get("weighted", parameter.default is parameter.empty))


def _weights_parameter(arguments: dict[str, Any]) -> inspect.Parameter | None:
    found = catalogue.classes(_LOSSES).get(str(arguments.get("type")))
    return None if found is None else inspect.signature(found).parameters.get("label_weights")


def _build_loss(arguments: dict[str, Any], label_weights: Sequence[float], where: str) -> nn.Module:
    if "label_weights" in arguments:
        raise UsageError(f"{where}: remove `label_weights`, they are learning_parameters.class_weights")
    parameter, is_weighted = _weights_parameter(arguments), _is_weighted(arguments)
    weighted = arguments.pop("weighted", is_weighted)
    if not isinstance(weighted, bool):
        raise UsageError(f"{where}: weighted must be true or false, not {weighted!r}")
    if weighted and parameter is None and arguments.get("type") in catalogue.classes(_LOSSES):
        raise UsageError(f"{where}: remove `weighted`, {arguments['type']} has no label weights")
    if is_weighted:
        arguments = {**arguments, "label_weights": list(label_weights)}
    elif parameter is not None and parameter.default is parameter.empty:
        arguments = {**arguments, "label_weights": [1.0] * len(label_weights)}
    try:
        loss: nn.Module = catalogue.build(_LOSSES, arguments, where)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from error
    return loss


def _build_target(arguments: Any, where: str) -> Target | None:
    if arguments is None:
        return None
    if not isinstance(arguments, dict):
        raise UsageError(f"{where}: target must be {{type: NAME, ...}}, not {arguments!r}")
    try:
        target: Target = catalogue.build(_TARGETS, arguments, f"{where}: target")
    except ValueError as error:
        raise UsageError(f"{where}: target: {error}") from error
    return target


def _try_loss(loss: WeightedLoss, channels: int, labels: int, where: str) -> None:
    """Before training, compare an output of so many channels with a mask that has every label.

    Raises:
        UsageError: that is impossible.
    """
    name, side = type(loss.loss).__name__, _TRIED_SIDE
    problem = ""
    if getattr(loss.loss, "is_binary", False) and channels > 2:
        problem = "; it is for one channel, or for the two of two labels"
    elif getattr(loss.loss, "is_binary", False) and loss.target is None and labels != 2:
        problem = "; it is for two labels, or needs a target such as {type: Edges}"
    else:
        mask = (torch.arange(side * side) % labels).to(torch.uint8).view(1, side, side)
        try:
            loss(torch.zeros(1, channels, side, side), mask)
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            problem = f" ({' '.join(str(error).split())[:200]})"
    if problem:
        compared = "masks of " + (f"{labels} labels" if loss.target is None else type(loss.target).__name__)
        raise UsageError(f"{where}: {name} does not compare an output of {channels} channels with {compared}{problem}")
