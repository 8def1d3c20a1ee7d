import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from torch.testing import assert_close

from otx_seg.models.backbones.xception import Xception, XceptionBlock

NEW_NORM = (1 + 1e-5) ** 0.5  # a new batch norm divides by the root of 1 + eps


def _separable(x: Tensor, depthwise: nn.Conv2d, pointwise: nn.Conv2d) -> Tensor:
    x = functional.conv2d(x, depthwise.weight, padding=1, groups=len(depthwise.weight))
    return torch.einsum("oi,bihw->bohw", pointwise.weight[:, :, 0, 0], x) / NEW_NORM


@torch.no_grad()
@pytest.mark.parametrize("side", [(8, 6), (7, 5)])
def test_a_block_that_halves(side: tuple[int, int]) -> None:
    torch.manual_seed(0)
    block, x = XceptionBlock([4, 6, 8], True, {"type": "BN"}).eval(), torch.randn(2, 4, *side)
    y = _separable(x.clamp_min(0), block.branch[1], block.branch[2])
    y = _separable(y.clamp_min(0), block.branch[5], block.branch[6])
    skip = functional.conv2d(x[:, :, ::2, ::2], block.skip[0].weight) / NEW_NORM
    assert_close(block(x), functional.max_pool2d(y, 3, stride=2, padding=1) + skip)


@torch.no_grad()
def test_a_block_that_does_not() -> None:
    torch.manual_seed(0)
    block, x = XceptionBlock([4, 4, 4, 4], False, {"type": "BN"}).eval(), torch.randn(2, 4, 6, 5)
    y = x
    for first in (1, 5, 9):
        y = _separable(y.clamp_min(0), block.branch[first], block.branch[first + 1])
    assert_close(block(x), x + y)


@torch.no_grad()
@pytest.mark.parametrize("side", [(64, 96), (75, 33)])
def test_levels(side: tuple[int, int]) -> None:
    levels = Xception().eval()(torch.randn(1, 3, *side))
    sizes = [tuple(-(-length // 2**level) for length in side) for level in range(1, 6)]
    assert [tuple(level.shape[1:]) for level in levels] == [
        (channels, *size) for channels, size in zip((64, 128, 256, 728, 2048), sizes, strict=True)
    ]
    assert len(Xception(out_indices=(1, 2)).levels) == 3, "what no level needs is not built"


def test_its_parameters_are_those_of_the_paper() -> None:
    # Table 3, for ImageNet and its 1,000 classes; the statistics of the norms are not counted.
    assert sum(parameter.numel() for parameter in Xception().parameters()) + 2048 * 1000 + 1000 == 22_855_952


@pytest.mark.parametrize("indices", [(), (0, 5)])
def test_refused(indices: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"levels are 0 to 4"):
        Xception(out_indices=indices)
