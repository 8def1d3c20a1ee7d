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


def test_the_weights_count_in_a_share_of_the_steps() -> None:
    logits, target = make_logits((0.5, 0.5)), torch.tensor([[[1]]])
    torch.manual_seed(0)
    loss = CrossEntropy([1.0, 3.0], weighted_share=0.25)
    found = torch.stack([loss(logits, target) for _ in range(400)]) / math.log(2)
    assert sorted(found.unique().tolist()) == pytest.approx([1.0, 3.0])
    assert (found > 2).float().mean().item() == pytest.approx(0.25, abs=0.06)
