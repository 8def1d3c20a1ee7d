"""Focal loss of sigmoids, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from otx_seg.losses.sigmoid_focal import SigmoidFocal


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_each_label_is_there_or_not() -> None:
    logits = torch.tensor([[logit(0.9), logit(0.3)], [9.0, 9.0]]).T[None, :, None]
    there = -0.25 * 0.1**2 * math.log(0.9)
    not_there = -0.75 * 0.3**2 * math.log(0.7)
    loss = SigmoidFocal()(logits, torch.tensor([[[0, 255]]]))
    assert loss.item() == pytest.approx((there + not_there) / 2, rel=1e-5)


def test_one_channel_compares_with_label_1() -> None:
    logits = torch.tensor([[[[logit(0.9), logit(0.3)]]]])
    expected = -(0.25 * 0.1**2 * math.log(0.9) + 0.75 * 0.3**2 * math.log(0.7)) / 2
    assert SigmoidFocal()(logits, torch.tensor([[[1, 0]]])).item() == pytest.approx(expected, rel=1e-5)
