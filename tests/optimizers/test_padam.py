"""Padam against its formula, Adam and SGD."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from otx_seg.optimizers.padam import Padam


def trained(network: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 20) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        optimizer.zero_grad()
        network(torch.randn(8, 3, generator=generator)).square().sum().backward()
        optimizer.step()
    return [parameter.detach() for parameter in network.parameters()]


def two() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    return network, copy.deepcopy(network)


def test_half_is_amsgrad() -> None:
    ours, theirs = two()
    found = trained(ours, Padam(ours.parameters(), lr=0.01, partial=0.5, weight_decay=0.1))
    adam = torch.optim.Adam(theirs.parameters(), lr=0.01, amsgrad=True, weight_decay=0.1)
    for mine, other in zip(found, trained(theirs, adam), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)


def test_by_hand() -> None:
    parameter = nn.Parameter(torch.tensor([2.0]))
    optimizer = Padam([parameter], lr=0.1, betas=(0.5, 0.75), eps=1e-8, weight_decay=0.5, partial=0.25)
    value, mean, square, largest = 2.0, 0.0, 0.0, 0.0
    for step, slope in enumerate((3.0, -1.0, 0.5), 1):
        parameter.grad = torch.tensor([slope])
        gradient = slope + 0.5 * value
        mean, square = 0.5 * mean + 0.5 * gradient, 0.75 * square + 0.25 * gradient**2
        largest = max(largest, square)
        value -= 0.1 * (1 - 0.75**step) ** 0.5 / (1 - 0.5**step) * mean / (largest**0.5) ** 0.5
        optimizer.step()
        assert parameter.item() == pytest.approx(value, rel=1e-5)


def test_nothing_adapts_at_0() -> None:
    parameter = nn.Parameter(torch.tensor([1.0, 1.0]))
    parameter.grad = torch.tensor([1.0, 100.0])
    Padam([parameter], lr=0.1, betas=(0.0, 0.0), partial=0.0).step()
    torch.testing.assert_close(parameter.detach(), torch.tensor([0.9, -9.0]))


def test_it_continues_from_its_state() -> None:
    ours, other = two()
    optimizer = Padam(ours.parameters())
    trained(ours, optimizer, steps=3)
    resumed = Padam(other.parameters())
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    other.load_state_dict(ours.state_dict())
    for mine, same in zip(trained(ours, optimizer), trained(other, resumed), strict=True):
        assert torch.equal(mine, same)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"lr": -1.0}, "lr must be 0 or more, not -1.0"),
        ({"betas": (0.9, 1.0)}, r"betas must be from 0 to below 1, not \(0.9, 1.0\)"),
        ({"eps": 0.0}, "eps must be above 0, not 0.0"),
        ({"weight_decay": -0.1}, "weight_decay must be 0 or more, not -0.1"),
        ({"partial": 0.6}, "partial must be from 0 to 0.5, not 0.6"),
    ],
)
def test_numbers_out_of_range(arguments: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Padam([nn.Parameter(torch.zeros(1))], **arguments)  # type: ignore[arg-type]
