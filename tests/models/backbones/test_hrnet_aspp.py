from __future__ import annotations

from typing import Any

import pytest
import torch
from mmseg.models.backbones.hrnet import HRNet

from otx_seg.models.backbones.hrnet_aspp import HRNetASPP


def small(**changes: Any) -> HRNetASPP:
    """One block of everything."""
    torch.manual_seed(0)
    extra = {
        f"stage{branches}": {
            "num_modules": 1,
            "num_branches": branches,
            "block": "BOTTLENECK" if branches == 1 else "BASIC",
            "num_blocks": [1] * branches,
            "num_channels": [4 * 2**branch for branch in range(branches)],
        }
        for branches in (1, 2, 3, 4)
    }
    arguments = {"aspp_channels": 5, "aspp_dilations": (2, 3), "align_corners": True, **changes}
    return HRNetASPP(extra=extra, norm_cfg={"type": "BN"}, **arguments)


@torch.no_grad()
@pytest.mark.parametrize("align_corners", [True, False])
def test_the_branches_are_enlarged_joined_and_pooled(align_corners: bool) -> None:
    network = small(align_corners=align_corners)
    network.eval()
    images = torch.randn(2, 3, 64, 96)
    branches = HRNet.forward(network, images)
    assert [branch.shape[1:] for branch in branches] == [(4, 16, 24), (8, 8, 12), (16, 4, 6), (32, 2, 3)]
    enlarged = [
        torch.nn.functional.interpolate(branch, (16, 24), mode="bilinear", align_corners=align_corners)
        for branch in branches
    ]
    (found,) = network(images)
    assert found.shape == (2, 20, 16, 24)
    torch.testing.assert_close(found, network.aspp(torch.cat(enlarged, dim=1)), rtol=1e-4, atol=1e-5)


def test_weights_of_the_plain_network_fit() -> None:
    keys = small().state_dict().keys()
    plain = HRNet(extra=small().extra, norm_cfg={"type": "BN"}).state_dict().keys()
    assert plain < keys
    assert {key.split(".")[0] for key in keys - plain} == {"aspp"}


def test_a_batch_of_one_trains() -> None:
    network = small()
    network.train()
    (found,) = network(torch.randn(1, 3, 64, 64))
    assert found.isfinite().all()
