"""The moving average against the same sum written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from otx_seg.models.weight_average import WeightAverage, mean_of


def test_the_average_is_the_formula_in_the_docstring() -> None:
    network = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    average = WeightAverage(network, decay=0.6, ramp="step")
    expected = 0.0
    for update in range(30):
        with torch.no_grad():
            network[0].weight.fill_(float(update))
            network[1].running_mean.fill_(2.0 * update)
            network[1].num_batches_tracked.fill_(update)
        average.update()
        decay = min(0.6, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * update if update else 0.0
    torch.testing.assert_close(average.module[0].weight, torch.full((1, 2), expected))
    torch.testing.assert_close(average.module[1].running_mean, torch.tensor([2 * expected]))
    assert int(average.module[1].num_batches_tracked) == 29


def test_the_network_itself_is_untouched() -> None:
    network = nn.Linear(2, 2)
    before = network.weight.detach().clone()
    average = WeightAverage(network, decay=0.9, ramp="step")
    average.update()
    assert torch.equal(network.weight, before)
    assert average.module is not network


def test_without_ramp_the_share_is_the_same_at_every_update() -> None:
    network = nn.Linear(1, 1)
    average = WeightAverage(network, decay=0.75, ramp="none")
    with torch.no_grad():
        average.module.weight.fill_(4.0)
        network.weight.fill_(8.0)
    average.update()
    assert float(average.module.weight) == 5.0
    average.update()
    assert float(average.module.weight) == 5.75


def test_all_of_the_average_can_be_kept() -> None:
    network = nn.Linear(2, 2)
    average = WeightAverage(network, decay=1.0, ramp="none")
    before = average.module.weight.clone()
    with torch.no_grad():
        network.weight.add_(1.0)
    average.update()
    assert torch.equal(average.module.weight, before)


def test_an_exponential_ramp_follows_the_run() -> None:
    network = nn.Linear(1, 1, bias=False)
    average = WeightAverage(network, decay=0.9, ramp="exponential")
    expected = 0.0
    for update in range(20):
        progress = update / 20
        with torch.no_grad():
            network.weight.fill_(float(update))
        average.update(progress)
        decay = 0.9 * (1 - math.exp(-15 * progress))
        expected = decay * expected + (1 - decay) * update
    assert float(average.module.weight) == pytest.approx(expected, rel=1e-5)


def test_the_mean_of_networks_is_literal() -> None:
    half = {"weight": torch.tensor([1.0, 3.0], dtype=torch.float16), "count": torch.tensor(7)}
    other = {"weight": torch.tensor([2.0, 3.0], dtype=torch.float16), "count": torch.tensor(9)}
    found = mean_of(iter([half, other, other]))
    assert found["weight"].dtype == torch.float16
    assert found["weight"].tolist() == torch.tensor([5 / 3, 3.0]).half().tolist()
    assert found["count"].item() == 7
    assert mean_of([]) == {}
    # In float32 the sum of these loses every small part.
    many = [{"weight": torch.tensor([2.0**24])}, *[{"weight": torch.tensor([1.0])}] * 7]
    assert mean_of(many)["weight"].item() == torch.tensor((2**24 + 7) / 8).item()
