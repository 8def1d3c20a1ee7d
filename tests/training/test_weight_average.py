"""The moving average against the same sum written out."""

from __future__ import annotations

import torch
from torch import nn

from otx_seg.training.weight_average import WeightAverage


def test_the_average_is_the_formula_in_the_docstring() -> None:
    network = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    average = WeightAverage(network, keep=0.6)
    expected = None
    for update in range(30):
        with torch.no_grad():
            network[0].weight.fill_(float(update))
            network[1].running_mean.fill_(2.0 * update)
            network[1].num_batches_tracked.fill_(update)
        average.update()
        keep = min(0.6, (1 + update) / (10 + update))
        expected = float(update) if update == 0 else keep * expected + (1 - keep) * update
    torch.testing.assert_close(average.module[0].weight, torch.full((1, 2), expected))
    torch.testing.assert_close(average.module[1].running_mean, torch.tensor([2 * expected]))
    assert int(average.module[1].num_batches_tracked) == 29


def test_the_network_itself_is_untouched() -> None:
    network = nn.Linear(2, 2)
    before = network.weight.detach().clone()
    average = WeightAverage(network, keep=0.9)
    average.update()
    assert torch.equal(network.weight, before)
    assert average.module is not network
