"""The optimiser a template names, and what happens to names torch does not know."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from every_template import template_names
from torch import nn

from otx_seg.errors import UsageError
from otx_seg.models import build_model
from otx_seg.optimizers.padam import Padam
from otx_seg.template import Template, load
from otx_seg.template.template import ParameterGroup
from otx_seg.training.optimizer import (
    at_one_rate,
    build_optimizer,
    clear_frozen_gradients,
    parameter_groups,
    refuse_idle_groups,
    set_rates,
)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Linear(2, 2), nn.LayerNorm(2)


def with_optimizer(*groups: dict[str, Any], **arguments: Any) -> Template:
    chosen = tuple(ParameterGroup(**group) for group in groups)
    return load("SegNext-t").model_copy(update={"optimizer": arguments, "parameter_groups": chosen})


def test_norms_are_not_decayed() -> None:
    network = Network()
    template = with_optimizer({"match": "norm", "decay": 0.0}, type="AdamW", weight_decay=0.5)
    optimizer = build_optimizer(parameter_groups(network, template), template)
    decays = {id(parameter): group["weight_decay"] for group in optimizer.param_groups for parameter in group["params"]}
    assert decays[id(network.conv.weight)] == 0.5
    assert decays[id(network.norm.weight)] == 0.0
    assert isinstance(optimizer, torch.optim.AdamW)
    assert optimizer.param_groups[0]["lr"] == load("SegNext-t").hyper_parameters.learning_parameters.learning_rate


def test_a_group_has_its_rate_and_waits_for_its_epoch() -> None:
    """Plain gradient descent on the sum of the weights: each step takes the rate away."""
    network = Network()
    template = with_optimizer(
        {"match": r"^norm\.weight", "rate": 10.0}, {"match": "norm", "frozen_epochs": 2}, type="SGD"
    )
    groups = parameter_groups(network, template)
    optimizer = build_optimizer(groups, template)
    assert [len(group["params"]) for group in optimizer.param_groups] == [2, 1, 1]
    parts = {"weight": network.norm.weight, "bias": network.norm.bias, "rest": network.conv.bias}
    lost = []
    for epoch in (1, 2):
        before = {name: part.detach().clone() for name, part in parts.items()}
        optimizer.zero_grad()
        sum(part.sum() for part in parts.values()).backward()  # type: ignore[union-attr]
        set_rates(optimizer, groups, 0.01)
        clear_frozen_gradients(optimizer, groups, epoch)
        optimizer.step()
        lost.append({name: float((before[name] - part).mean()) for name, part in parts.items()})
    assert lost[0] == pytest.approx({"weight": 0.1, "bias": 0.0, "rest": 0.01}, abs=1e-6)
    assert lost[1] == pytest.approx({"weight": 0.1, "bias": 0.01, "rest": 0.01}, abs=1e-6)


@pytest.mark.parametrize(
    ("groups", "even"),
    [
        ([{"match": "conv", "rate": 10.0, "decay": 0.5}], [("conv", 10.0, 0.5), (".", 10.0, 1.0)]),
        ([{"match": "norm", "rate": 0.1}], [("norm", 1.0, 1.0)]),
        ([{"match": "norm", "rate": 2.0}, {"match": "conv"}], [("norm", 2.0, 1.0), ("conv", 2.0, 1.0)]),
        ([{"match": "norm", "rate": 0.1}, {"match": "conv", "rate": 0.2}], [("norm", 0.2, 1.0), ("conv", 0.2, 1.0)]),
        ([], []),
    ],
)
def test_all_at_the_highest_rate(groups: list[dict[str, Any]], even: list[tuple[str, float, float]]) -> None:
    network = Network()
    template = at_one_rate(with_optimizer(*groups, type="SGD", weight_decay=0.1), network)
    assert [(group.match, group.rate, group.decay) for group in template.parameter_groups] == even
    refuse_idle_groups(network, template)
    assert len({group.rate for group in parameter_groups(network, template)}) == 1


def test_names_are_those_of_the_network_whatever_trains_it() -> None:
    template = with_optimizer({"match": "^conv", "rate": 3.0}, type="SGD")
    algorithm = nn.ModuleDict({"student": nn.ModuleDict({"network": nn.ModuleDict({"network": Network()})})})
    assert [(group.rate, len(parameters)) for group, parameters in parameter_groups(algorithm, template).items()] == [
        (1.0, 2),
        (3.0, 2),
    ]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (
            [{"match": "backbone"}],
            r"groups\[0\]\.match: 'backbone' matches no parameter: names are like conv",
        ),
        (
            [{"match": "norm"}, {"match": "norm.bias"}],
            r"\[1\]\.match: .*earlier groups have all parameters",
        ),
        ([{"match": "norm", "decay": 0.0}], r"\[0\]\.decay: 0\.0 has no effect: the optimizer has no weight_decay"),
    ],
)
def test_groups_that_change_nothing_are_refused(groups: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        refuse_idle_groups(Network(), with_optimizer(*groups, type="SGD"))


@pytest.mark.parametrize("name", template_names())
def test_the_groups_of_the_templates_have_parameters(name: str) -> None:
    template = load(name)
    refuse_idle_groups(build_model(template, 2), template)


def test_frozen_parameters_are_left_out() -> None:
    network = Network()
    network.norm.requires_grad_(False)
    template = with_optimizer(type="SGD", momentum=0.9)
    optimizer = build_optimizer(parameter_groups(network, template), template)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"type": "Adam W"}, r"unknown 'Adam W'; did you mean 'AdamW'"),
        ({"type": "AdamW", "momentum": 0.9}, r"AdamW refuses these arguments.*momentum"),
        ({"type": "AdamW", "betas": [2.0, 0.9]}, r"AdamW refuses these arguments"),
        ({}, r"unknown ''"),
    ],
)
def test_what_torch_does_not_know_is_refused(arguments: dict[str, Any], message: str) -> None:
    template = with_optimizer(**arguments)
    with pytest.raises(UsageError, match=message):
        build_optimizer(parameter_groups(Network(), template), template)


def test_an_optimiser_that_torch_lacks() -> None:
    network = Network()
    template = with_optimizer({"match": "norm", "decay": 0.0}, type="Padam", partial=0.125, weight_decay=0.1)
    optimizer = build_optimizer(parameter_groups(network, template), template)
    assert isinstance(optimizer, Padam)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]
    assert optimizer.defaults["partial"] == 0.125
    with pytest.raises(UsageError, match=r"optimizer\.type: unknown 'Padma'; did you mean 'Padam'"):
        build_optimizer(parameter_groups(network, template), with_optimizer(type="Padma"))
