"""Where labels meet."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from otx_seg.labels import IGNORE_INDEX


class Edges:
    """A mask of two values from a mask of labels: 1 on both sides of a border between labels, else 0.

    A pixel is part of an edge where the labels of the square around it differ. The frame of the image is no edge; the
    border to ignored pixels is. Ignored pixels are 255 here as well.

    Args:
        width: side of the square in pixels, odd, 3 or more. An edge is `width` - 1 pixels wide.

    Raises:
        ValueError: an even number, or one below 3.
    """

    def __init__(self, width: int = 3) -> None:
        if width < 3 or width % 2 == 0:
            raise ValueError(f"width must be an odd number from 3 on, not {width}")
        self.width = width

    def __call__(self, mask: Tensor) -> Tensor:
        """(B, H, W) integer, 255 where a pixel does not count -> the same shape and dtype, values 0, 1 and 255."""
        return label_edges(mask, self.width).to(mask.dtype).masked_fill(mask == IGNORE_INDEX, IGNORE_INDEX)


def label_edges(mask: Tensor, width: int) -> Tensor:
    """Where the largest and the smallest label within `width` pixels differ: bool (B, H, W), ignored pixels too.

    The same as dilation minus erosion of each label's plane, whatever the number of labels.
    """
    labels = functional.pad(mask[:, None].float(), (width // 2,) * 4, mode="replicate")
    largest = functional.max_pool2d(labels, width, stride=1)
    smallest = -functional.max_pool2d(-labels, width, stride=1)
    return (largest != smallest)[:, 0]
