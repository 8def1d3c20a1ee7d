import pytest
import torch
from torch import nn

from otx_seg.models.backbones.mobilenet_v3_os16 import MobileNetV3OS16

NORM = {"type": "BN", "eps": 0.001}
_TABLE = (  # table 1 of the paper: kernel, expanded channels, stride; the last stage dilated instead
    (3, 16, 1, 1),
    (3, 64, 2, 1),
    (3, 72, 1, 1),
    (5, 72, 2, 1),
    (5, 120, 1, 1),
    (5, 120, 1, 1),
    (3, 240, 2, 1),
    (3, 200, 1, 1),
    (3, 184, 1, 1),
    (3, 184, 1, 1),
    (3, 480, 1, 1),
    (3, 672, 1, 1),
    (5, 672, 1, 2),
    (5, 960, 1, 2),
    (5, 960, 1, 2),
)


def test_blocks() -> None:
    network = MobileNetV3OS16(NORM)
    for index, (kernel, channels, stride, dilation) in enumerate(_TABLE, 1):
        conv = getattr(network, f"layer{index}").depthwise_conv.conv
        assert type(conv) is nn.Conv2d
        assert (conv.kernel_size, conv.groups, conv.stride) == ((kernel,) * 2, channels, (stride,) * 2), index
        assert (conv.dilation, conv.padding) == ((dilation,) * 2, (dilation * (kernel // 2),) * 2), index


@torch.no_grad()
@pytest.mark.parametrize("side", [(64, 96), (75, 33)])
def test_levels(side: tuple[int, int]) -> None:
    network = MobileNetV3OS16(out_indices=(1, 2, 4, 16), norm_cfg=NORM)
    network.eval()
    levels = network(torch.randn(1, 3, *side))
    assert [tuple(level.shape[1:]) for level in levels] == [
        (channels, *(-(-length // stride) for length in side))
        for channels, stride in ((16, 2), (24, 4), (40, 8), (960, 16))
    ]


def test_refused() -> None:
    with pytest.raises(ValueError, match=r"out_indices must in range\(0, 17\)"):
        MobileNetV3OS16(NORM, (4, 17))
