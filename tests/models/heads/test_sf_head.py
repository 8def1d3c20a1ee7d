from typing import Any

import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor

from otx_seg.models.heads.pyramid_pooling import PyramidPooling
from otx_seg.models.heads.sf_head import SFHead, SFLiteHead
from otx_seg.template import find_templates, load

COARSEST = 32  # pixels of the image for each position of ResNet's last feature map
LEVELS = [torch.randn(2, channels, 48 // stride, 64 // stride) for channels, stride in ((4, 1), (6, 2), (8, 4), (9, 8))]


def _arguments(levels: list[int]) -> dict[str, Any]:
    torch.manual_seed(0)
    return {
        "in_channels": [LEVELS[level].shape[1] for level in levels],
        "in_index": levels,
        "channels": 5,
        "flow_channels": 3,
        "num_classes": 3,
        "norm_cfg": {"type": "BN"},
        "dropout_ratio": 0.1,
    }


def enlarged(x: Tensor, align_corners: bool) -> Tensor:
    return functional.interpolate(x, (48, 64), mode="bilinear", align_corners=align_corners)


@pytest.mark.parametrize("align_corners", [True, False])
def test_sfnet_aligns_each_level_with_the_next_finer_one_and_joins_all(align_corners: bool) -> None:
    head = SFHead(**_arguments([0, 1, 2, 3]), align_corners=align_corners).eval()
    with torch.no_grad():
        top = head.pooling(LEVELS[3])
        third = head.laterals[2](LEVELS[2])
        third = third + head.alignments[2](third, top)
        second = head.laterals[1](LEVELS[1])
        second = second + head.alignments[1](second, third)
        first = head.laterals[0](LEVELS[0])
        first = first + head.alignments[0](first, second)
        coarser = [enlarged(x, align_corners) for x in (head.smooth[1](second), head.smooth[2](third), top)]
        joined = head.join(torch.cat([head.smooth[0](first), *coarser], dim=1))
        torch.testing.assert_close(head(LEVELS), head.conv_seg(joined))
    assert head(LEVELS).shape == (2, 3, 48, 64)


@pytest.mark.parametrize("pooled", [True, False])
def test_sfnet_lite_aligns_once_and_joins_two_maps(pooled: bool) -> None:
    head = SFLiteHead(**_arguments([0, 2, 3]), pooled_gate=pooled).eval()
    with torch.no_grad():
        aligned = head.alignment(head.lateral_fine(LEVELS[0]), head.pooling(LEVELS[3]))
        joined = head.join(torch.cat([aligned, enlarged(head.lateral_middle(LEVELS[2]), False)], dim=1))
        torch.testing.assert_close(head(LEVELS), head.conv_seg(joined))
    assert head(LEVELS).shape == (2, 3, 48, 64)


@pytest.mark.parametrize("name", [item.name for item in find_templates() if item.family == "SFNet"])
def test_the_smallest_input_has_a_position_for_each_cell(name: str) -> None:
    template = load(name)
    assert template.smallest_input == max(template.model["decode_head"]["pool_scales"]) * COARSEST


def test_sfnet_lite_takes_three_levels() -> None:
    with pytest.raises(ValueError, match="maps at three resolutions"):
        SFLiteHead(**_arguments([0, 1, 2, 3]))


def test_more_cells_than_positions_are_nothing_to_learn_from() -> None:
    head = SFLiteHead(**_arguments([0, 2, 3]), pool_scales=(1, 3)).train()
    small = [*LEVELS[:3], LEVELS[3][:, :, :2, :4]]
    with pytest.raises(ValueError, match=r"grids of 3 cells a side \(pool_scales\) are laid over 2 positions"):
        head(small)
    assert head.eval()(small).shape == (2, 3, 48, 64)


def test_pooled_grids_are_joined_with_the_map() -> None:
    head = SFLiteHead(**_arguments([0, 2, 3])).eval()
    pyramid, join = head.pooling
    assert isinstance(pyramid, PyramidPooling)
    with torch.no_grad():
        joined = torch.einsum("oi,bihw->bohw", join.conv.weight[:, :, 0, 0], pyramid(LEVELS[3]))
        torch.testing.assert_close(head.pooling(LEVELS[3]), join.bn(joined).relu())
