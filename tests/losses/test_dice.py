"""Soft Dice against values worked out by hand."""

from __future__ import annotations

import pytest
import torch

from otx_seg.losses.dice import Dice


def logits_of(*pixels: tuple[float, ...]) -> torch.Tensor:
    """Probabilities of pixels in one row -> logits (1, K, 1, pixels) with a gradient."""
    return torch.tensor(pixels).log().T[None, :, None].clone().requires_grad_()


def test_two_labels_by_hand() -> None:
    loss = Dice()(logits_of((0.8, 0.2), (0.4, 0.6), (0.01, 0.99)), torch.tensor([[[0, 1, 255]]]))
    first = 2 * 0.8 / (0.8**2 + 0.4**2 + 1)
    second = 2 * 0.6 / (0.2**2 + 0.6**2 + 1)
    assert loss.item() == pytest.approx(1 - (first + second) / 2)
    assert loss.dtype == torch.float32


def test_absent_labels_are_left_out() -> None:
    loss = Dice()(logits_of((0.5, 0.25, 0.25), (0.5, 0.25, 0.25)), torch.tensor([[[0, 0]]]))
    assert loss.item() == pytest.approx(1 - 2 * 1.0 / (0.5 + 2))


def test_the_sums_go_over_the_batch() -> None:
    sure, wrong = (0.9, 0.1), (0.3, 0.7)
    together = Dice()(logits_of(sure, wrong), torch.tensor([[[0, 0]]]))
    apart = torch.cat((logits_of(sure), logits_of(wrong)))
    assert Dice()(apart, torch.zeros(2, 1, 1, dtype=torch.uint8)).item() == pytest.approx(together.item())


def test_right_and_wrong() -> None:
    certain = torch.tensor([[50.0, -50.0], [-50.0, 50.0]]).T[None, :, None]
    assert Dice()(certain, torch.tensor([[[0, 1]]])).item() == pytest.approx(0.0, abs=1e-6)
    assert Dice()(certain, torch.tensor([[[1, 0]]])).item() == pytest.approx(1.0)


def test_everything_ignored_gives_zero_with_a_gradient() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = Dice()(logits, torch.full((2, 4, 4), 255, dtype=torch.uint8))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_steps_along_the_gradient_find_the_labels() -> None:
    target = torch.tensor([[[0] * 14 + [1] * 2]])
    logits = torch.zeros(1, 2, 1, 16, requires_grad=True)
    optimizer = torch.optim.Adam([logits], 0.5)
    for _ in range(50):
        optimizer.zero_grad()
        Dice()(logits, target).backward()
        optimizer.step()
    assert torch.equal(logits.argmax(dim=1), target)


def test_narrow_logits_are_computed_in_float32() -> None:
    logits = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)).half()
    target = torch.randint(0, 3, (1, 64, 64), generator=torch.Generator().manual_seed(1))
    assert Dice()(logits, target).item() == pytest.approx(Dice()(logits.float(), target).item())
