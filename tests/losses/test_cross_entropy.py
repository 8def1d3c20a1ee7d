"""Cross-entropy against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from otx_seg.losses.cross_entropy import CrossEntropy


def plain(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The loss in which every label counts the same."""
    classes = logits.shape[1]
    return CrossEntropy([1.0] * classes)(logits, target)


def make_logits(*pixels: tuple[float, ...]) -> torch.Tensor:
    """Probabilities of pixels in one row -> logits (1, K, 1, pixels) with a gradient."""
    return torch.tensor(pixels).log().T[None, :, None].clone().requires_grad_()


def test_mean_over_the_labelled_pixels_only() -> None:
    logits = make_logits((0.5, 0.5), (0.25, 0.75), (0.01, 0.99))
    loss = plain(logits, torch.tensor([[[0, 1, 255]]]))
    assert loss.item() == pytest.approx((math.log(2) - math.log(0.75)) / 2)
    loss.backward()
    # gradient of softmax cross-entropy: (p - t) / number of labelled pixels
    expected = torch.tensor([[(0.5 - 1) / 2, 0.25 / 2, 0.0], [0.5 / 2, (0.75 - 1) / 2, 0.0]])
    assert torch.allclose(logits.grad[0, :, 0], expected)


def test_everything_ignored_gives_zero_with_a_gradient() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = plain(logits, torch.full((2, 4, 4), 255, dtype=torch.uint8))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_narrow_logits_are_computed_in_float32(kind: torch.dtype) -> None:
    logits = (torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 8).to(kind).requires_grad_()
    target = torch.randint(0, 3, (1, 64, 64), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    loss = plain(logits, target)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(plain(logits.double().float(), target).item(), rel=1e-6)
    loss.backward()
    assert torch.isfinite(logits.grad).all()


def test_confident_mistakes_stay_finite() -> None:
    logits = torch.tensor([1e4, -1e4]).view(1, 2, 1, 1).requires_grad_()
    loss = plain(logits, torch.tensor([[[1]]]))
    loss.backward()
    assert loss.item() == pytest.approx(2e4)
    assert torch.isfinite(logits.grad).all()


def test_pixels_count_as_much_as_their_label() -> None:
    loss = CrossEntropy([0.5, 3.0, 1.0])
    logits = make_logits((0.5, 0.25, 0.25), (0.25, 0.5, 0.25))
    expected = (0.5 * math.log(2) + 3.0 * math.log(2)) / 2
    assert loss(logits, torch.tensor([[[0, 1]]])).item() == pytest.approx(expected)


def test_the_weights_are_no_part_of_the_state() -> None:
    assert not CrossEntropy([0.5, 0.5]).state_dict()
