from __future__ import annotations

import pytest
import torch
import torch.nn.functional as functional
from plain_layers import conv_norm_relu
from torch import Tensor, nn

from otx_seg.models.aspp import ASPP

BATCH_NORM = {"type": "BN"}


def by_hand(aspp: ASPP, x: Tensor, dilations: tuple[int, ...]) -> Tensor:
    narrow, *wide = aspp.branches
    mean = x.sum(dim=(2, 3), keepdim=True) / (x.shape[2] * x.shape[3])
    image = functional.conv2d(mean, aspp.image[0].weight, aspp.image[0].bias).relu()
    parts = [image.repeat(1, 1, *x.shape[2:]), conv_norm_relu(narrow, x)]
    parts += [conv_norm_relu(layer, x, dilation) for layer, dilation in zip(wide, dilations, strict=True)]
    return torch.cat(parts, dim=1)


@torch.no_grad()
def test_it_is_what_the_paper_says() -> None:
    torch.manual_seed(0)
    aspp = ASPP(6, 4, (2, 3), BATCH_NORM).eval()
    for norm in (module for module in aspp.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 6, 9, 7)
    assert aspp.out_channels == 16
    assert aspp(x).shape == (2, 16, 9, 7)
    torch.testing.assert_close(aspp(x), by_hand(aspp, x, (2, 3)), rtol=1e-5, atol=1e-6)


def test_a_batch_of_one_trains() -> None:
    assert ASPP(6, 4, (12, 24, 36), BATCH_NORM).train()(torch.randn(1, 6, 4, 4)).isfinite().all()


@pytest.mark.parametrize("dilations", [(), (1, 12), (0,)])
def test_dilations_that_are_none(dilations: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"dilations is .*; it lists those of the 3x3 convolutions, from 2 on"):
        ASPP(6, 4, dilations, BATCH_NORM)
