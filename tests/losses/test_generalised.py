"""Dice and IoU with labels weighted by their inverse area, by hand."""

from __future__ import annotations

import pytest
import torch

from otx_seg.losses.generalised_dice import GeneralisedDice
from otx_seg.losses.generalised_iou import GeneralisedIou

LOGITS = torch.tensor([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]]).log().T[None, :, None]
MASK = torch.tensor([[[0, 0, 1, 255]]])
# Label 0 has two pixels and the weight 1/4, label 1 one pixel and the weight 1, label 2 none.


def test_dice() -> None:
    expected = 1 - 2 * (1.4 / 4 + 0.7) / ((1.6 + 2) / 4 + (1.1 + 1))
    assert GeneralisedDice()(LOGITS, MASK).item() == pytest.approx(expected)


def test_iou() -> None:
    expected = 1 - (1.4 / 4 + 0.7) / ((1.6 + 2 - 1.4) / 4 + (1.1 + 1 - 0.7))
    assert GeneralisedIou()(LOGITS, MASK).item() == pytest.approx(expected)
