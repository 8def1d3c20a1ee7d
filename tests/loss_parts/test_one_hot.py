"""Masks as planes."""

from __future__ import annotations

import torch

from otx_seg.loss_parts.one_hot import masked_one_hot


def test_ignored_pixels_are_in_no_plane() -> None:
    planes, counted = masked_one_hot(torch.tensor([[[0, 2, 255]]], dtype=torch.uint8), 3)
    assert planes[0, :, 0].tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert counted.tolist() == [[[[True, True, False]]]]
