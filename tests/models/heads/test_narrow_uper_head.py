import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from torch.testing import assert_close

from otx_seg.models.heads.narrow_uper_head import NarrowUPerHead

ARGUMENTS = {"in_index": [0, 1, 2], "num_classes": 3, "norm_cfg": {"type": "BN"}, "dropout_ratio": 0.5}


def _head() -> NarrowUPerHead:
    torch.manual_seed(0)
    return NarrowUPerHead(bins=(1, 2), pyramid_channels=4, in_channels=[5, 6, 8], **ARGUMENTS).eval()


def _block(module: nn.Module, x: Tensor, padding: int) -> Tensor:
    # A new batch norm divides by the root of 1 + eps.
    return (functional.conv2d(x, module.conv.weight, padding=padding) / (1 + 1e-5) ** 0.5).clamp_min(0)


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)


@torch.no_grad()
@pytest.mark.parametrize("sides", [[(16, 12), (8, 6), (4, 3)], [(15, 11), (8, 6), (4, 3)]])
def test_it_is_the_pyramid_of_the_paper(sides: list[tuple[int, int]]) -> None:
    head = _head()
    fine, middle, coarse = (torch.randn(2, c, *side) for c, side in zip((5, 6, 8), sides, strict=True))
    third = _block(head.bottleneck, head.pooling(coarse), 1)
    second = _block(head.laterals[1], middle, 0) + _enlarged(third, middle)
    first = _block(head.laterals[0], fine, 0) + _enlarged(second, fine)
    smooth = [_block(conv, x, 1) for conv, x in zip(head.smooth, (first, second, third), strict=True)]
    everything = torch.cat([_enlarged(x, fine) for x in smooth], dim=1)
    logits = functional.conv2d(everything, head.conv_seg.weight, head.conv_seg.bias, padding=1)
    assert_close(head([fine, middle, coarse]), logits)


@torch.no_grad()
def test_logits_can_be_negative() -> None:
    levels = [torch.randn(2, 5, 16, 12), torch.randn(2, 6, 8, 6), torch.randn(2, 8, 4, 3)]
    assert (_head()(levels) < 0).any()


def test_refused() -> None:
    with pytest.raises(ValueError, match=r"in_channels is \[8\]; a pyramid has two levels or more"):
        NarrowUPerHead(bins=(1, 2), pyramid_channels=4, in_channels=[8], **{**ARGUMENTS, "in_index": [0]})
    with pytest.raises(ValueError, match=r"bins is"):
        NarrowUPerHead(bins=(), pyramid_channels=4, in_channels=[5, 6, 8], **ARGUMENTS)
