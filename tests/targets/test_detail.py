"""STDC's detail, against the convolutions of the paper."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from otx_seg.targets.detail import Detail, label_detail


def literal(mask: Tensor, labels: int) -> Tensor:
    """One-hot planes, Laplacians at three strides, enlarged and mixed."""
    planes = functional.one_hot(mask.long().masked_fill(mask == 255, labels), labels + 1).movedim(-1, 1)[:, :labels]
    laplacian = -torch.ones(labels, 1, 3, 3)
    laplacian[:, :, 1, 1] = 8
    mixed = torch.zeros(mask.shape, dtype=torch.float64)
    for stride, tenths in ((1, 6), (2, 3), (4, 1)):
        edges = functional.conv2d(planes.float(), laplacian, stride=stride, padding=1, groups=labels) > 1
        seen = functional.interpolate(edges.any(1, keepdim=True).double(), size=mask.shape[1:], mode="nearest")
        mixed += tenths * seen[:, 0]
    return mixed >= 3


def test_the_same_as_with_convolutions() -> None:
    generator = torch.Generator().manual_seed(1)
    for side in ((24, 32), (17, 23)):
        mask = torch.randint(0, 4, (2, *side), generator=generator).to(torch.uint8)
        mask[0, 5:9] = 255
        mask[1, :, 7:] = 2
        assert torch.equal(label_detail(mask), literal(mask, 4))


def test_ignored_pixels_stay_ignored() -> None:
    mask = torch.full((1, 8, 8), 255, dtype=torch.uint8)
    mask[:, 4:] = 1
    found = Detail()(mask)
    assert found.dtype == torch.uint8
    assert (found[:, :4] == 255).all()
    assert set(found[:, 4:].unique().tolist()) <= {0, 1}
