"""The Lovász extension, by hand."""

from __future__ import annotations

import pytest
import torch

from otx_seg.losses.lovasz_softmax import LovaszSoftmax


def test_decisions_give_the_iou() -> None:
    mask = torch.tensor([[[0, 0, 0, 1, 1]]])
    logits = 100 * torch.nn.functional.one_hot(torch.tensor([[[0, 0, 1, 1, 0]]]), 2).movedim(-1, 1).float()
    assert LovaszSoftmax()(logits, mask).item() == pytest.approx(1 - (2 / 4 + 1 / 3) / 2)


def test_errors_count_by_what_they_add_to_the_loss() -> None:
    # Label 1 is right at the first pixel only; its errors are 0.4 (true) and 0.3 (not true).
    logits = torch.tensor([[0.4, 0.6], [0.7, 0.3]]).log().T[None, :, None]
    # The largest error alone: IoU 0 instead of 1. The second adds nothing.
    assert LovaszSoftmax()(logits, torch.tensor([[[1, 0]]])).item() == pytest.approx(
        (0.4 + (0.4 * 0.5 + 0.3 * 0.5)) / 2
    )
