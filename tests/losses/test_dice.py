"""Soft Dice against values worked out by hand."""

from __future__ import annotations

import pytest
import torch

from otx_seg.losses.dice import Dice


def make_logits(*pixels: tuple[float, ...]) -> torch.Tensor:
    """Probabilities of pixels in one row -> logits (1, K, 1, pixels) with a gradient."""
    return torch.tensor(pixels).log().T[None, :, None].clone().requires_grad_()


def test_two_labels_and_an_ignored_pixel() -> None:
    logits = make_logits((0.5, 0.5), (0.25, 0.75), (0.01, 0.99))
    loss = Dice()(logits, torch.tensor([[[0, 1, 255]]], dtype=torch.uint8))
    # label 0: agreed 0.5, predicted 0.75, true 1; label 1: agreed 0.75, predicted 1.25, true 1
    expected = 1 - (2 * 0.5 / 1.75 + 2 * 0.75 / 2.25) / 2
    assert loss.item() == pytest.approx(expected)
    loss.backward()
    assert torch.equal(logits.grad[0, :, 0, 2], torch.zeros(2))
    assert logits.grad[0, :, 0, :2].abs().min() > 0


def test_labels_absent_from_the_truth_do_not_enter_the_mean() -> None:
    logits = make_logits((0.5, 0.3, 0.2), (0.6, 0.3, 0.1))
    loss = Dice()(logits, torch.tensor([[[0, 0]]]))
    assert loss.item() == pytest.approx(1 - 2 * 1.1 / (1.1 + 2))


def test_sums_run_over_the_batch() -> None:
    logits = make_logits((0.5, 0.5), (0.25, 0.75))
    target = torch.tensor([[[0, 1]]])
    as_batch = logits.detach()[0].movedim(2, 0)[..., None]  # (2, K, 1, 1): one pixel per image
    assert Dice()(as_batch, target.view(2, 1, 1)).item() == pytest.approx(Dice()(logits, target).item())


def test_everything_ignored_gives_zero_with_a_gradient() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = Dice()(logits, torch.full((2, 4, 4), 255, dtype=torch.uint8))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_narrow_logits_are_computed_in_float32(kind: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    # 300x300 pixels: the sums are far above what float16 can hold exactly
    logits = torch.randn(1, 3, 300, 300, generator=generator).to(kind).requires_grad_()
    target = torch.randint(0, 3, (1, 300, 300), generator=generator)
    loss = Dice()(logits, target)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(Dice()(logits.float(), target).item(), rel=1e-6)
    loss.backward()
    assert torch.isfinite(logits.grad).all()


def test_perfect_and_opposite_answers() -> None:
    target = torch.tensor([[[0, 1]]])
    right = torch.tensor([[50.0, -50.0], [-50.0, 50.0]]).view(1, 2, 1, 2)
    assert Dice()(right, target).item() == pytest.approx(0.0, abs=1e-6)
    assert Dice()(-right, target).item() == pytest.approx(1.0, abs=1e-6)
