"""Distances from borders, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from otx_seg.losses.boundary import Boundary


def test_by_hand() -> None:
    mask = torch.tensor([[[0, 0, 1, 1, 1]]])
    logits = 100 * torch.nn.functional.one_hot(torch.tensor([[[0, 0, 0, 1, 1]]]), 2).movedim(-1, 1).float()
    # Label 0 lies at distances -1.5 -0.5 0.5 1.5 2.5 and answers at the first three; label 1 at those of opposite sign.
    expected = ((-1.5 - 0.5 + 0.5) + (-1.5 - 2.5)) / math.hypot(1, 5) / (5 * 2)
    assert Boundary()(logits, mask).item() == pytest.approx(expected)


def test_a_label_that_an_image_lacks_does_not_count() -> None:
    logits = torch.randn(1, 3, 6, 6, requires_grad=True)
    Boundary()(logits, torch.zeros(1, 6, 6, dtype=torch.uint8)).backward()
    assert torch.equal(logits.grad, torch.zeros_like(logits))
