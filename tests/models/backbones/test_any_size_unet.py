import pytest
import torch
from torch.nn import functional

from otx_seg.models.backbones.any_size_unet import AnySizeUNet


@torch.no_grad()
def test_two_stages_by_hand() -> None:
    torch.manual_seed(6)
    net = AnySizeUNet(2, 2, {"type": "BN"}).eval()
    images = torch.randn(1, 3, 4, 6)

    def twice(x: torch.Tensor, pair: torch.nn.Module) -> torch.Tensor:
        for module in pair:  # the norms are new: mean 0, variance 1
            x = torch.relu(functional.conv2d(x, module.conv.weight, None, 1, 1) / (1 + module.norm.eps) ** 0.5)
        return x

    fine = twice(images, net.encoder[0])
    coarse = twice(torch.stack([fine[:, :, r::2, c::2] for r in (0, 1) for c in (0, 1)]).amax(0), net.encoder[1])
    up = net.decoder[0]
    large = torch.empty(1, 2, 4, 6)
    for row in (0, 1):
        for column in (0, 1):
            weight = up.enlarge.weight[:, :, row, column].T[:, :, None, None]
            large[:, :, row::2, column::2] = functional.conv2d(coarse, weight, up.enlarge.bias)
    found = net(images)
    torch.testing.assert_close(found[0], twice(torch.cat([fine, large], dim=1), up.convolve))
    torch.testing.assert_close(found[1], coarse)


def test_sides_that_cannot_be_halved() -> None:
    levels = AnySizeUNet(2, 4, {"type": "BN"}).eval()(torch.zeros(1, 3, 37, 9))
    assert [tuple(level.shape) for level in levels] == [(1, 2, 37, 9), (1, 4, 19, 5), (1, 8, 10, 3), (1, 16, 5, 2)]


def test_one_stage_is_no_unet() -> None:
    with pytest.raises(ValueError, match="num_stages is 1"):
        AnySizeUNet(2, 1)
