"""The optimiser a template names, and what happens to names torch does not know."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from otx_seg.errors import UsageError
from otx_seg.template import Template, load
from otx_seg.training.optimizer import build_optimizer


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Linear(2, 2), nn.LayerNorm(2)


def with_optimizer(**arguments: Any) -> Template:
    return load("SegNext-t").model_copy(update={"optimizer": arguments})


def test_norms_are_not_decayed() -> None:
    network = Network()
    optimizer = build_optimizer(network, with_optimizer(type="AdamW", weight_decay=0.5, undecayed=["norm"]))
    decays = {id(parameter): group["weight_decay"] for group in optimizer.param_groups for parameter in group["params"]}
    assert decays[id(network.conv.weight)] == 0.5
    assert decays[id(network.norm.weight)] == 0.0
    assert isinstance(optimizer, torch.optim.AdamW)
    assert optimizer.param_groups[0]["lr"] == load("SegNext-t").hyper_parameters.learning_parameters.learning_rate


def test_frozen_parameters_are_left_out() -> None:
    network = Network()
    network.norm.requires_grad_(False)
    optimizer = build_optimizer(network, with_optimizer(type="SGD", momentum=0.9))
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
    with pytest.raises(UsageError, match=message):
        build_optimizer(Network(), with_optimizer(**arguments))
