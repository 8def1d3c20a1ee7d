import pytest
import torch
from torch.testing import assert_close

from otx_seg.models.heads.narrow_psp_head import NarrowPSPHead

ARGUMENTS = {"in_channels": 8, "in_index": 1, "channels": 5, "num_classes": 3, "norm_cfg": {"type": "BN"}}


@torch.no_grad()
def test_the_pooled_features_go_through_one_convolution_into_the_classifier() -> None:
    torch.manual_seed(0)
    head = NarrowPSPHead(bins=(1, 2), **ARGUMENTS).eval()
    torch.nn.init.normal_(head.conv_seg.weight)
    levels = [torch.randn(2, 4, 16, 12), torch.randn(2, 8, 8, 6)]
    x = head.pooling(levels[1])
    assert x.shape == (2, 8 + 2 * 4, 8, 6), "each grid adds the width of the features divided by their number"
    narrow = torch.einsum("oi,bihw->bohw", head.bottleneck.conv.weight[:, :, 0, 0], x) / (1 + 1e-5) ** 0.5
    weight, bias = head.conv_seg.weight[:, :, 0, 0], head.conv_seg.bias.view(1, 3, 1, 1)
    assert_close(head(levels), torch.einsum("oi,bihw->bohw", weight, narrow.clamp_min(0)) + bias)


@pytest.mark.parametrize("bins", [(), (1, 0)])
def test_refused(bins: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"bins is"):
        NarrowPSPHead(bins=bins, **ARGUMENTS)
