"""The optimiser a template names."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn

from otx_seg.catalogue import nearest
from otx_seg.errors import UsageError
from otx_seg.template import Template


def build_optimizer(algorithm: nn.Module, template: Template) -> torch.optim.Optimizer:
    """Construct the template's optimiser over the trainable parameters of `algorithm`.

    Raises:
        UsageError: torch.optim has no such class, or it does not take the arguments given.
    """
    arguments = dict(template.optimizer)
    name = arguments.pop("type", "")
    undecayed = tuple(arguments.pop("undecayed", ()))
    known = [key for key, value in vars(torch.optim).items() if isinstance(value, type) and key != "Optimizer"]
    if name not in known:
        raise UsageError(f"template {template.name}: optimizer.type: unknown {name!r}; {nearest(str(name), known)}")
    constructor = getattr(torch.optim, name)
    if "fused" in inspect.signature(constructor).parameters:
        # One kernel for all tensors: these networks have hundreds of small ones, and a Python loop over them
        # costs up to a tenth of a step on a CPU.
        arguments.setdefault("fused", True)
    rate = template.hyper_parameters.learning_parameters.learning_rate
    try:
        optimizer: torch.optim.Optimizer = constructor(_groups(algorithm, undecayed), lr=rate, **arguments)
    except (TypeError, ValueError) as error:
        raise UsageError(f"template {template.name}: optimizer: {name} refuses these arguments ({error})") from error
    return optimizer


def _groups(algorithm: nn.Module, undecayed: tuple[str, ...]) -> list[dict[str, Any]]:
    """All parameters in one group, or those whose name contains a text of `undecayed` in a second, undecayed one."""
    decayed: list[nn.Parameter] = []
    kept: list[nn.Parameter] = []
    for name, parameter in algorithm.named_parameters():
        if parameter.requires_grad:
            (kept if any(text in name for text in undecayed) else decayed).append(parameter)
    groups: list[dict[str, Any]] = [{"params": decayed}]
    return [*groups, {"params": kept, "weight_decay": 0.0}] if kept else groups
