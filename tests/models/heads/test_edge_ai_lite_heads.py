"""The three decoders over the lite ASPP, worked out in plain functions from their own tensors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as functional
from plain_layers import conv_norm, enlarged, separable, with_statistics
from torch import Tensor

from otx_seg.models.heads.deeplabv3plus_lite_head import DeepLabV3PlusLiteHead
from otx_seg.models.heads.fpn_aspp_lite_head import FPNASPPLiteHead
from otx_seg.models.heads.unet_aspp_lite_head import UNetASPPLiteHead

COMMON = {"dilations": [1, 2], "dropout_ratio": 0.1, "num_classes": 3, "norm_cfg": {"type": "BN"}}
LEVELS = {"in_channels": [4, 6, 10], "in_index": [0, 1, 2], "align_corners": False}
EVEN, ODD = ((16, 12), (8, 6), (4, 3)), ((15, 11), (8, 6), (4, 3))


def levels(sizes: tuple[tuple[int, int], ...]) -> list[Tensor]:
    return [torch.randn(2, count, *size) for count, size in zip([4, 6, 10], sizes, strict=True)]


def classified(x: Tensor, head: Any, groups: int) -> Tensor:
    """The last 3x3 convolution within groups, without activation, and the classifier."""
    x = conv_norm(
        x, head.smooth if isinstance(head, DeepLabV3PlusLiteHead) else head.last, False, padding=1, groups=groups
    )
    return functional.conv2d(x, head.conv_seg.weight, head.conv_seg.bias)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("sizes", [EVEN, ODD])
@pytest.mark.parametrize(("group_width", "groups"), [(1, 8), (4, 2)])
def test_deeplabv3plus(sizes: tuple[tuple[int, int], ...], group_width: int, groups: int) -> None:
    two: dict[str, Any] = {"in_channels": [4, 10], "in_index": [0, 2], "align_corners": False}
    head = DeepLabV3PlusLiteHead(5, 3, group_width=group_width, **two, **COMMON)  # type: ignore[arg-type]
    with_statistics(head)
    fine, _, coarse = maps = levels(sizes)
    with torch.no_grad():
        x = torch.cat([enlarged(head.aspp(coarse), sizes[0]), conv_norm(fine, head.shortcut)], dim=1)
        expected = classified(x, head, groups)
        torch.testing.assert_close(head(maps), expected)
    assert expected.shape == (2, 3, *sizes[0])


@pytest.mark.parametrize("sizes", [EVEN, ODD])
@pytest.mark.parametrize(("group_width", "groups"), [(1, (6, 8)), (4, (1, 2))])
def test_fpn(sizes: tuple[tuple[int, int], ...], group_width: int, groups: tuple[int, int]) -> None:
    of_width = {6: groups[0], 8: groups[1]}
    for channels in (6, 8):
        head = FPNASPPLiteHead(channels=channels, group_width=group_width, **LEVELS, **COMMON)  # type: ignore[arg-type]
        with_statistics(head)
        maps = levels(sizes)
        with torch.no_grad():
            x = head.aspp(maps[2])
            for level in (1, 0):
                x = enlarged(x, sizes[level]) + conv_norm(maps[level], head.laterals[level])
                x = separable(x, head.smooth[level], of_width[channels])
            expected = classified(x, head, of_width[channels])
            torch.testing.assert_close(head(maps), expected)
        assert expected.shape == (2, 3, *sizes[0])


@pytest.mark.parametrize("sizes", [EVEN, ODD])
def test_unet(sizes: tuple[tuple[int, int], ...]) -> None:
    head = UNetASPPLiteHead(channels=5, aspp_channels=7, **LEVELS, **COMMON)  # type: ignore[arg-type]
    with_statistics(head)
    maps = levels(sizes)
    with torch.no_grad():
        x = head.aspp(maps[2])
        # Twice the 3 labels are more than the 5 channels asked for, and than the 4 of the finest level.
        for level, stacked in ((1, 7 + 6), (0, 6 + 4)):
            x = separable(torch.cat([enlarged(x, sizes[level]), maps[level]], dim=1), head.smooth[level], stacked)
            assert x.shape == (2, 6, *sizes[level])
        torch.testing.assert_close(head(maps), classified(x, head, 6))


@pytest.mark.parametrize(
    ("channels", "labels", "widths"), [(2, 2, [4, 6]), (5, 2, [5, 6]), (8, 2, [8, 8]), (2, 19, [38, 38])]
)
def test_levels_of_the_unet_are_as_wide_as_the_backbones_but_not_too_narrow(
    channels: int, labels: int, widths: list[int]
) -> None:
    arguments: dict[str, Any] = {**LEVELS, **COMMON, "num_classes": labels, "group_width": 4}
    head = UNetASPPLiteHead(channels=channels, aspp_channels=7, **arguments)
    assert [smooth[1].conv.out_channels for smooth in head.smooth] == widths


def test_the_decoder_of_deeplab_takes_two_levels() -> None:
    with pytest.raises(ValueError, match="a shortcut and the coarsest level"):
        DeepLabV3PlusLiteHead(5, 3, **LEVELS, **COMMON)  # type: ignore[arg-type]
