"""Hard pixels, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from otx_seg.losses.ohem_cross_entropy import OhemCrossEntropy

LOGITS = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.65, 0.35], [0.01, 0.99]]).log().T[None, :, None]
MASK = torch.tensor([[[0, 0, 0, 0, 255]]])


def test_all_below_the_threshold_count() -> None:
    loss = OhemCrossEntropy([1.0, 1.0], threshold=0.7, share=0.25)(LOGITS, MASK)
    assert loss.item() == pytest.approx(-(math.log(0.5) + math.log(0.2) + math.log(0.65)) / 3)


def test_a_share_counts_where_too_few_are_hard() -> None:
    loss = OhemCrossEntropy([1.0, 1.0], threshold=0.3, share=0.5)(LOGITS, MASK)
    assert loss.item() == pytest.approx(-(math.log(0.5) + math.log(0.2)) / 2)


def test_weights_change_the_loss_but_not_which_pixels_are_hard() -> None:
    mask = torch.tensor([[[0, 1, 0, 0, 255]]])
    loss = OhemCrossEntropy([1.0, 10.0], threshold=0.3, share=0.5)(LOGITS, mask)
    assert loss.item() == pytest.approx(-(10 * math.log(0.5) + math.log(0.2)) / 2)
