"""The optimiser a template names, and the groups of parameters that learn in another way than the rest."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import nn

from otx_seg.catalogue import classes, nearest
from otx_seg.errors import UsageError
from otx_seg.template import Template
from otx_seg.template.template import ParameterGroup

_WRAPPERS = re.compile(r"^.*?network\.network\.")
"""What algorithms put before the names of the network's parameters."""


def build_optimizer(learning: Groups, template: Template) -> torch.optim.Optimizer:
    """Construct the template's optimiser over the parameters of these groups, in their order.

    Raises:
        UsageError: there is no such class, or it does not take the arguments given.
    """
    constructor, arguments = _constructor(template)
    if "fused" in inspect.signature(constructor).parameters:
        # One kernel for all tensors: these networks have hundreds of small ones, and a Python loop over them
        # costs up to a tenth of a step on a CPU.
        arguments.setdefault("fused", True)
    rate, decay = template.hyper_parameters.learning_parameters.learning_rate, _weight_decay(constructor, arguments)
    groups: list[dict[str, Any]] = []
    for how, parameters in learning.items():
        changed = {} if how.decay == 1 else {"weight_decay": how.decay * decay}
        groups.append({"params": parameters, **changed})
    try:
        optimizer: torch.optim.Optimizer = constructor(groups, lr=rate, **arguments)
    except (TypeError, ValueError) as error:
        name = constructor.__name__
        raise UsageError(f"template {template.name}: optimizer: {name} refuses these arguments ({error})") from error
    return optimizer


def _constructor(template: Template) -> tuple[Any, dict[str, Any]]:
    """The class of the template's optimiser, and its arguments."""
    arguments = dict(template.optimizer)
    name = arguments.pop("type", "")
    known = {key: value for key, value in vars(torch.optim).items() if isinstance(value, type) and key != "Optimizer"}
    known.update(classes("otx_seg.optimizers"))
    if name not in known:
        raise UsageError(f"template {template.name}: optimizer.type: unknown {name!r}; {nearest(str(name), [*known])}")
    return known[name], arguments


def _weight_decay(constructor: Any, arguments: dict[str, Any]) -> float:
    default = inspect.signature(constructor).parameters.get("weight_decay")
    decay = arguments.get("weight_decay", 0.0 if default is None else default.default)
    return float(decay) if isinstance(decay, (int, float)) else 0.0


class GroupSettings(NamedTuple):
    """How the parameters of a group learn; see `ParameterGroup` for the attributes."""

    rate: float = 1.0
    decay: float = 1.0
    frozen_epochs: int = 0


_USUAL = ParameterGroup(match=".")
"""What the other parameters are."""

Groups: TypeAlias = dict[GroupSettings, list[nn.Parameter]]


def parameter_groups(algorithm: nn.Module, template: Template) -> Groups:
    """The trainable parameters by how they learn, the usual ones first."""
    how = [GroupSettings(group.rate, group.decay, group.frozen_epochs) for group in template.parameter_groups]
    groups: Groups = {learning: [] for learning in (GroupSettings(), *how)}
    for name, parameter in algorithm.named_parameters():
        if parameter.requires_grad:
            inside = _WRAPPERS.sub("", name)
            matching = (
                learning
                for learning, group in zip(how, template.parameter_groups, strict=True)
                if re.search(group.match, inside)
            )
            groups[next(matching, GroupSettings())].append(parameter)
    return {learning: parameters for learning, parameters in groups.items() if parameters}


def at_one_rate(template: Template, network: nn.Module) -> Template:
    """The template with the highest learning rate of its groups for all parameters of its network."""
    names = [name for name, _ in network.named_parameters()]
    rest = [name for name in names if not any(re.search(group.match, name) for group in template.parameter_groups)]
    highest = max(group.rate for group in (*template.parameter_groups, *([_USUAL] if rest else [])))
    groups = [group.model_copy(update={"rate": highest}) for group in template.parameter_groups]
    if rest and highest != _USUAL.rate:
        groups.append(_USUAL.model_copy(update={"rate": highest}))
    return template.model_copy(update={"parameter_groups": tuple(groups)})


def refuse_idle_groups(network: nn.Module, template: Template) -> None:
    """
    Args:
        network: the template's, with all its heads, as `build_model` makes it.

    Raises:
        UsageError: a group that no parameter belongs to, or that changes a weight decay that there is not.
    """
    names = [name for name, _ in network.named_parameters()]
    left, decay = names, _weight_decay(*_constructor(template))
    for index, group in enumerate(template.parameter_groups):
        where = f"template {template.name}: parameter_groups[{index}]"
        if group.decay != 1 and decay == 0:
            raise UsageError(f"{where}.decay: {group.decay} has no effect: the optimizer has no weight_decay")
        rest = [name for name in left if not re.search(group.match, name)]
        if len(rest) == len(left):
            taken = any(re.search(group.match, name) for name in names)
            reason = "earlier groups have all parameters of that name" if taken else f"names are like {names[0]}"
            raise UsageError(f"{where}.match: {group.match!r} matches no parameter: {reason}")
        left = rest


def set_rates(optimizer: torch.optim.Optimizer, groups: Iterable[GroupSettings], rate: float) -> None:
    """Give each group of an optimiser its learning rate, where the usual one is `rate`."""
    for group, learning in zip(optimizer.param_groups, groups, strict=True):
        group["lr"] = rate * learning.rate


def clear_frozen_gradients(optimizer: torch.optim.Optimizer, groups: Iterable[GroupSettings], epoch: int) -> None:
    """Take the gradients from the groups that do not learn yet after `epoch` epochs: optimisers leave such parameters
    alone, and DistributedDataParallel, which expects the gradients, has had them."""
    for group, learning in zip(optimizer.param_groups, groups, strict=True):
        for parameter in group["params"] if epoch < learning.frozen_epochs else ():
            parameter.grad = None
