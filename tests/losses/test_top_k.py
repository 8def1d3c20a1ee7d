"""The pixels with the largest losses, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from otx_seg.losses.top_k import TopK


def test_the_share_is_one_of_the_labelled_pixels() -> None:
    logits = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.6, 0.4], [0.01, 0.99]]).log().T[None, :, None]
    mask = torch.tensor([[[0, 0, 0, 0, 255]]])
    assert TopK([1.0, 1.0], share=0.5)(logits, mask).item() == pytest.approx((math.log(5) + math.log(2)) / 2)
    assert TopK([1.0, 1.0], share=0.1)(logits, mask).item() == pytest.approx(math.log(5))
    assert TopK([3.0, 1.0], share=0.1)(logits, mask).item() == pytest.approx(3 * math.log(5))
