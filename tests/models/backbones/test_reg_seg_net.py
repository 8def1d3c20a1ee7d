import pytest
import torch
from torch.nn import functional

from otx_seg.models.backbones.reg_seg_net import DBlock, RegSegNet

NORM = {"type": "BN"}


def normalised(x: torch.Tensor, norm: torch.nn.Module) -> torch.Tensor:
    return functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)


def block(stride: int) -> DBlock:
    torch.manual_seed(4)
    made = DBlock(12, 16, stride, [1, 3], 4, NORM)
    for part in made.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.running_var, 0.5, 2)
            torch.nn.init.uniform_(part.running_mean, -1, 1)
            torch.nn.init.uniform_(part.bias, -1, 1)
    return made.eval()


@pytest.mark.parametrize("stride", [1, 2])
@torch.no_grad()
def test_a_block_dilates_each_half_of_its_channels_by_its_own_rate(stride: int) -> None:
    made = block(stride)
    x = torch.randn(2, 12, 10, 6)
    y = torch.relu(normalised(functional.conv2d(x, made.narrow.conv.weight), made.narrow.norm))
    halves = []
    for half, rate, part in zip((y[:, :8], y[:, 8:]), (1, 3), made.parts, strict=True):
        assert part.conv.weight.shape == (8, 4, 3, 3)  # two groups of four channels
        groups = [
            functional.conv2d(half[:, at : at + 4], part.conv.weight[at : at + 4], None, stride, rate, rate)
            for at in (0, 4)
        ]
        halves.append(torch.relu(normalised(torch.cat(groups, dim=1), part.norm)))
    y = torch.cat(halves, dim=1)
    squeeze, excite = made.excite.gate[1], made.excite.gate[3]
    assert squeeze.out_channels == 3  # a quarter of the block's input
    hidden = torch.relu(y.mean(dim=(2, 3)) @ squeeze.weight[:, :, 0, 0].T + squeeze.bias)
    y = y * torch.sigmoid(hidden @ excite.weight[:, :, 0, 0].T + excite.bias)[:, :, None, None]
    y = normalised(functional.conv2d(y, made.widen.conv.weight), made.widen.norm)
    pooled = x if stride == 1 else sum(x[:, :, r::2, c::2] for r in (0, 1) for c in (0, 1)) / 4
    convolution = made.shortcut[-1]
    y = torch.relu(y + normalised(functional.conv2d(pooled, convolution.conv.weight), convolution.norm))
    torch.testing.assert_close(made(x), y, atol=1e-5, rtol=1e-5)


def test_a_block_of_the_same_channels_adds_its_input_as_it_is() -> None:
    made = DBlock(16, 16, 1, [1, 3], 4, NORM)
    assert len(made.shortcut) == 0
    assert DBlock(12, 16, 2, [1], 4, NORM)(torch.randn(2, 12, 7, 5)).shape == (2, 16, 4, 3)


@pytest.mark.parametrize("dilations", [[1, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8]])
def test_parts_of_broken_groups_are_refused(dilations: list[int]) -> None:
    with pytest.raises(ValueError, match="16 channels cannot be split"):
        DBlock(12, 16, 1, dilations, 4, NORM)


def test_levels_at_strides_4_8_and_16() -> None:
    net = RegSegNet(8, [8, 12, 16], 20, [[[1]], [[1], [1, 2]], [[1, 4]]], 2, NORM).eval()
    assert [tuple(level.shape) for level in net(torch.zeros(1, 3, 70, 64))] == [
        (1, 8, 18, 16),
        (1, 12, 9, 8),
        (1, 20, 5, 4),
    ]


@pytest.mark.parametrize("dilations", [[[[1]], [[1]]], [[[1]], [], [[1]]]])
def test_three_stages_of_at_least_one_block(dilations: list[list[list[int]]]) -> None:
    with pytest.raises(ValueError, match="there are three"):
        RegSegNet(8, [8, 12, 16], 20, dilations, 4, NORM)
