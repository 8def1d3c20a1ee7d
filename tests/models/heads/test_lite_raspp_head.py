import pytest
import torch
import torch.nn.functional as functional
from torch.testing import assert_close

from otx_seg.models.heads.lite_raspp_head import LiteRASPPHead

ARGUMENTS = {"in_index": [0, 1], "context_channels": 5, "num_classes": 3, "norm_cfg": {"type": "BN"}}


@torch.no_grad()
@pytest.mark.parametrize("side", [(8, 6), (7, 5)])
def test_the_scores_are_the_sum_of_a_gated_coarse_and_a_fine_classifier(side: tuple[int, int]) -> None:
    torch.manual_seed(0)
    head = LiteRASPPHead(in_channels=[4, 6], **ARGUMENTS).eval()
    torch.nn.init.normal_(head.conv_seg.weight)
    torch.nn.init.normal_(head.conv_seg.bias)
    fine, coarse = torch.randn(2, 4, *side), torch.randn(2, 6, 4, 3)
    context = (functional.conv2d(coarse, head.context.conv.weight) / (1 + 1e-5) ** 0.5).clamp_min(0)
    gate = 1 / (1 + torch.exp(-functional.conv2d(coarse.mean(dim=(2, 3), keepdim=True), head.gate.weight)))
    of_coarse, of_fine = head.conv_seg.weight.split((5, 4), dim=1)
    # As in the paper: the scores of the coarse level are enlarged, those of the fine one added.
    enlarged = functional.interpolate(functional.conv2d(context * gate, of_coarse), side, mode="bilinear")
    assert_close(head([fine, coarse]), enlarged + functional.conv2d(fine, of_fine, head.conv_seg.bias))


def test_refused() -> None:
    with pytest.raises(ValueError, match=r"takes two levels, the finer one first"):
        LiteRASPPHead(in_channels=[4, 6, 8], **{**ARGUMENTS, "in_index": [0, 1, 2]})
