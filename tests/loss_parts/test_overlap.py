"""Soft counts and their mean over labels, by hand."""

from __future__ import annotations

import pytest
import torch

from otx_seg.loss_parts.overlap import MeanOverLabels, overlap


def test_counts_of_several_channels_and_of_one() -> None:
    probabilities = torch.tensor([[0.8, 0.2], [0.4, 0.6], [0.1, 0.9]])
    logits, mask = probabilities.log().T[None, :, None], torch.tensor([[[0, 1, 255]]])
    two = overlap(logits, mask)
    assert two.both.tolist() == pytest.approx([0.8, 0.6])
    assert two.predicted.tolist() == pytest.approx([1.2, 0.8])
    assert two.true.tolist() == [1, 1]
    assert overlap(logits, mask, squared=True).predicted.tolist() == pytest.approx([0.8, 0.4])
    one = overlap(logits[:, 1:] - logits[:, :1], mask)
    assert [part.tolist() for part in one] == [pytest.approx([0.6]), pytest.approx([0.8]), [1]]


def test_which_labels_belong_to_the_mean() -> None:
    agreement, true = torch.tensor([0.5, 0.25, 0.0]), torch.tensor([10.0, 2.0, 0.0])
    assert MeanOverLabels(False, True, None)(agreement, true).item() == pytest.approx((0.5 + 0.75) / 2)
    assert MeanOverLabels(True, True, None)(agreement, true).item() == pytest.approx((0.5 + 0.75 + 1) / 3)
    assert MeanOverLabels(False, False, None)(agreement, true).item() == pytest.approx(0.75)
    weighted = MeanOverLabels(False, True, [2.0, 1.0, 1.0])
    assert weighted(agreement, true).item() == pytest.approx((2 * 0.5 + 0.75) / 2)
    assert MeanOverLabels(True, True, None)(agreement, torch.zeros(3)).item() == 0
