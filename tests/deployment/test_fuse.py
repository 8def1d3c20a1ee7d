import pytest
import torch
from mmcv.cnn import ConvModule
from torch import nn
from torch.testing import assert_close

from otx_seg.deployment.fuse import fold_batch_norm
from otx_seg.models.network import SegmentationNetwork


def with_statistics(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.running_mean, -1, 1)
            nn.init.uniform_(norm.running_var, 0.5, 2)
            nn.init.uniform_(norm.weight, 0.5, 2)
            nn.init.uniform_(norm.bias, -1, 1)
    return module.eval()


def norms(module: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())


@pytest.mark.parametrize(
    ("module", "left"),
    [
        (ConvModule(3, 8, 3, norm_cfg={"type": "BN"}), 0),
        (ConvModule(3, 8, 3, groups=1, bias=True, norm_cfg={"type": "BN"}, act_cfg=None), 0),
        (nn.Sequential(nn.Conv2d(3, 8, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 2, 1)), 0),
        (nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.BatchNorm2d(8)), 1),
        (nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 8, 1)), 1),
        (ConvModule(3, 8, 3, norm_cfg={"type": "BN"}, order=("act", "conv", "norm")), 1),
        (ConvModule(3, 8, 3, norm_cfg={"type": "BN"}, order=("norm", "conv", "act")), 1),
    ],
)
def test_equal_to_rounding(module: nn.Module, left: int) -> None:
    module = with_statistics(module)
    before = norms(module)
    images = torch.randn(2, 3, 9, 9)
    folded = fold_batch_norm(module)
    assert norms(folded) == left
    assert norms(module) == before
    assert_close(folded(images), module(images), atol=1e-5, rtol=1e-4)


def test_a_whole_network(tiny_network: SegmentationNetwork) -> None:
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    folded = fold_batch_norm(tiny_network)
    assert norms(folded) == 0
    with torch.no_grad():
        assert_close(folded(images), tiny_network(images), atol=1e-4, rtol=1e-4)
