"""The detail that STDC's detail head learns."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from otx_seg.labels import IGNORE_INDEX

_SHARES = {1: 0.6, 2: 0.3, 4: 0.1}  # by stride
_THRESHOLD = 0.3 - 1e-4  # which stride 2 alone reaches, whatever the rounding


class Detail:
    """A mask of two values from a mask of labels: 1 at edges that are seen at several scales, else 0.

    Fan et al. 2021, "Rethinking BiSeNet", section 3.3. The plane of each label is convolved with the Laplacian (8 in
    the centre, -1 around it) at strides 1, 2 and 4, and more than 1 is an edge: two or more of a pixel's eight
    neighbours have another label. The three are enlarged and mixed, 0.6, 0.3 and 0.1 of each; from 0.3 on there is
    detail.

    What lies outside the image, and ignored pixels, count as another label. Ignored pixels are 255 here as well.
    """

    def __call__(self, mask: Tensor) -> Tensor:
        """(B, H, W) integer, 255 where a pixel does not count -> the same shape and dtype, values 0, 1 and 255."""
        return label_detail(mask).to(mask.dtype).masked_fill(mask == IGNORE_INDEX, IGNORE_INDEX)


def label_detail(mask: Tensor) -> Tensor:
    """Where there is detail: bool (B, H, W), also at ignored pixels beside an edge."""
    height, width = mask.shape[1:]
    around = functional.pad(mask.int(), (1, 1, 1, 1), value=IGNORE_INDEX)
    others = torch.zeros_like(mask, dtype=torch.uint8)
    for top in range(3):
        for left in range(3):
            others += around[:, top : top + height, left : left + width] != mask
    edges = ((others >= 2) & (mask != IGNORE_INDEX)).float()[:, None]
    mixed = torch.zeros_like(edges)
    for stride, share in _SHARES.items():
        mixed += share * functional.interpolate(edges[:, :, ::stride, ::stride], size=(height, width), mode="nearest")
    return mixed[:, 0] >= _THRESHOLD
