"""A mask as one plane per label, in which ignored pixels are nowhere."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from otx_seg.labels import IGNORE_INDEX


def masked_one_hot(mask: Tensor, labels: int) -> tuple[Tensor, Tensor]:
    """
    Args:
        mask: (B, H, W) integer, values 0..labels-1, or 255 where a pixel does not count.
        labels: number of labels, K; 1: of two labels, only label 1 has a plane.

    Returns:
        One plane per label, float32 (B, K, H, W): 1 where a pixel has the label, else 0, and 0 in all planes where it
        does not count; and which pixels count, bool (B, 1, H, W).
    """
    counted = (mask != IGNORE_INDEX)[:, None]
    planes = functional.one_hot(mask.long().masked_fill(~counted[:, 0], 0), max(2, labels)).movedim(-1, 1)
    return (planes[:, -labels:] * counted).float(), counted
