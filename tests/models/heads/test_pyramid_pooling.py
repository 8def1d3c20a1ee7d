import pytest
import torch
import torch.nn.functional as functional
from torch.testing import assert_close

from otx_seg.models.heads.pyramid_pooling import PyramidPooling

BLOCKS = {"norm_cfg": None, "act_cfg": {"type": "ReLU"}, "align_corners": False}


@torch.no_grad()
@pytest.mark.parametrize("side", [(12, 6), (7, 5), (2, 3)])
def test_it_is_the_formula_of_the_paper(side: tuple[int, int]) -> None:
    torch.manual_seed(0)
    pooling = PyramidPooling((1, 2, 3, 6), 8, 3, **BLOCKS)  # type: ignore[arg-type]
    x = torch.randn(2, 8, *side)
    expected = [x]
    for cells, branch in zip((1, 2, 3, 6), pooling.branches, strict=True):
        means = functional.adaptive_avg_pool2d(x, cells)
        narrow = torch.einsum("oi,bihw->bohw", branch.conv.weight[:, :, 0, 0], means) + branch.conv.bias.view(
            1, 3, 1, 1
        )
        expected.append(functional.interpolate(narrow.clamp_min(0), side, mode="bilinear", align_corners=False))
    assert_close(pooling(x), torch.cat(expected, dim=1))
    assert pooling.out_channels == 8 + 4 * 3


@pytest.mark.parametrize("bins", [(), (0, 2)])
def test_refused(bins: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"bins is .* 1 or more"):
        PyramidPooling(bins, 8, 2, **BLOCKS)  # type: ignore[arg-type]
