"""Focal loss by hand."""

from __future__ import annotations

import math

import pytest
import torch

from otx_seg.losses.cross_entropy import CrossEntropy
from otx_seg.losses.focal import Focal

LOGITS = torch.tensor([[0.9, 0.1], [0.25, 0.75], [0.3, 0.7]]).log().T[None, :, None]
MASK = torch.tensor([[[0, 0, 255]]])


def test_by_hand() -> None:
    expected = -(2 * 0.1**2 * math.log(0.9) + 2 * 0.75**2 * math.log(0.25)) / 2
    assert Focal([2.0, 1.0])(LOGITS, MASK).item() == pytest.approx(expected, rel=1e-5)


def test_gamma_0_is_the_cross_entropy() -> None:
    assert Focal([2.0, 1.0], gamma=0)(LOGITS, MASK).item() == pytest.approx(
        CrossEntropy([2.0, 1.0])(LOGITS, MASK).item()
    )
