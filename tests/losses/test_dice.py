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


def test_nnunet_counts_absent_labels_but_not_the_background() -> None:
    form = Dice(squared=False, absent=True, background=False)
    loss = form(logits_of((0.5, 0.25, 0.25), (0.2, 0.6, 0.2)), torch.tensor([[[0, 1]]]))
    assert loss.item() == pytest.approx(((1 - 2 * 0.6 / (0.85 + 1)) + 1) / 2)
