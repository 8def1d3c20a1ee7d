"""Batch norm statistics over images, against the same written out by hand."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from torch import Tensor, nn

from otx_seg.models.precise_norms import estimate_norms


class Network(nn.Module):
    """Two norms behind each other, a frozen one, one that the output does not need, and a dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
        self.frozen, self.idle = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
        self.dropout = nn.Dropout(0.5)
        with torch.no_grad():
            for norm in (self.first, self.second, self.frozen, self.idle):
                norm.weight.copy_(torch.tensor([0.5, 2.0]))
                norm.running_mean.fill_(9.0)
                norm.num_batches_tracked.fill_(5)

    def train(self, mode: bool = True) -> Network:
        super().train(mode)
        self.frozen.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.dropout(self.first(images)).square()
        return self.second(hidden) + self.frozen(images)


def _batches() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [3 * torch.rand(4, 2, 5, 6, generator=generator) + number for number in range(3)]


def _by_hand(values: list[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of all values of a channel."""
    together = np.concatenate(values).transpose(1, 0, 2, 3).reshape(2, -1)
    return together.mean(axis=1), together.var(axis=1)


def test_the_statistics_are_those_of_all_images() -> None:
    network, batches = Network(), _batches()
    network.train()
    before = copy.deepcopy(network)
    random_state = torch.get_rng_state()
    assert estimate_norms(network, iter(batches)) == 2
    assert torch.equal(torch.get_rng_state(), random_state)  # no dropout
    images = [batch.double().numpy() for batch in batches]
    mean, variance = _by_hand(images)
    assert_allclose(network.first.running_mean.numpy(), mean, rtol=1e-6)
    assert_allclose(network.first.running_var.numpy(), variance, rtol=1e-5)
    # The second norm gets what the first one makes of each batch by its own statistics, as in training.
    axes = (0, 2, 3)
    scale = np.array([0.5, 2.0]).reshape(1, 2, 1, 1)
    hidden = [
        (scale * (batch - batch.mean(axes, keepdims=True)) / np.sqrt(batch.var(axes, keepdims=True) + 1e-5)) ** 2
        for batch in images
    ]
    mean, variance = _by_hand(hidden)
    assert_allclose(network.second.running_mean.numpy(), mean, rtol=1e-5)
    assert_allclose(network.second.running_var.numpy(), variance, rtol=1e-4)
    # Nothing else has changed, and all norms work as before.
    renewed = {f"{norm}.running_{what}" for norm in ("first", "second") for what in ("mean", "var")}
    for name, tensor in before.state_dict().items():
        assert torch.equal(network.state_dict()[name], tensor) == (name not in renewed), name
    assert not any(module.training for module in network.modules())
    network.train()
    network(batches[0])
    assert network.first.num_batches_tracked.item() == 6
    assert network.frozen.num_batches_tracked.item() == 5


def test_every_batch_counts_alike() -> None:
    network = nn.Sequential(nn.BatchNorm1d(1))
    estimate_norms(network, [torch.tensor([[0.0], [2.0]]), torch.tensor([[5.0], [5.0], [5.0], [5.0]])])
    assert network[0].running_mean.item() == 3.0
    assert network[0].running_var.item() == pytest.approx(((1 + 1) + (0 + 25)) / 2 - 9)


def test_without_norms_or_images_nothing_changes() -> None:
    assert estimate_norms(nn.Conv2d(1, 1, 1), [torch.zeros(1, 1, 2, 2)]) == 0
    network = nn.Sequential(nn.BatchNorm1d(1))
    assert estimate_norms(network, []) == 0
    assert network[0].running_mean.item() == 0.0


def test_a_failure_leaves_the_network_as_it_was() -> None:
    network = nn.Sequential(nn.BatchNorm1d(1))
    with pytest.raises(ValueError, match=r"Expected more than 1 value"):
        estimate_norms(network, [torch.zeros(1, 1)])
    assert network[0].track_running_stats
    assert network[0].running_mean.item() == 0.0
