"""Atrous spatial pyramid pooling of separable convolutions, without image pooling: the "lite" ASPP for edge processors.

Atrous spatial pyramid pooling: https://arxiv.org/abs/1706.05587, section 3.3; separable: https://arxiv.org/abs/1802.02611,
section 3.1. Image pooling is left out: it makes the logits depend on the size of the image, and a batch norm on a
single position fails in training for a batch of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn


def grouped_conv(
    in_channels: int,
    group_width: int,
    norm_cfg: dict[str, Any],
    act_cfg: dict[str, Any] | None,
    dilation: int = 1,
) -> ConvModule:
    """A 3x3 convolution within groups of channels, norm and activation: (B, C, H, W) -> same shape.

    Args:
        in_channels: C.
        group_width: channels of a group, or the next more that divide C; 1 is a depthwise convolution.
        norm_cfg, act_cfg: of mmcv's `ConvModule`; no activation if None.

    Raises:
        ValueError: `group_width` is not at least 1.
    """
    if group_width < 1:
        raise ValueError(f"group_width is {group_width}; a group has at least 1 channel")
    groups = next(count for count in range(max(in_channels // group_width, 1), 0, -1) if in_channels % count == 0)
    return ConvModule(
        in_channels,
        in_channels,
        3,
        padding=dilation,
        dilation=dilation,
        groups=groups,
        norm_cfg=norm_cfg,
        act_cfg=act_cfg,
    )


def separable_conv(
    in_channels: int,
    out_channels: int,
    group_width: int,
    norm_cfg: dict[str, Any],
    act_cfg: dict[str, Any],
    dilation: int = 1,
) -> nn.Sequential:
    """`grouped_conv`, then a 1x1 convolution across the groups, each with norm and activation.

    (B, in_channels, H, W) -> (B, out_channels, H, W).
    """
    return nn.Sequential(
        grouped_conv(in_channels, group_width, norm_cfg, act_cfg, dilation),
        ConvModule(in_channels, out_channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg),
    )


class DWASPPLite(nn.Module):
    """A 1x1 convolution beside three dilated separable 3x3 ones; their outputs stacked, dropped out and mixed."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        dilations: Sequence[int],
        group_width: int,
        dropout_ratio: float,
        norm_cfg: dict[str, Any],
        act_cfg: dict[str, Any],
    ) -> None:
        """
        Args:
            in_channels: of the feature map.
            channels: of each branch and of the result.
            dilations: of the 3x3 convolutions, one branch each.
            group_width: see `grouped_conv`.
            dropout_ratio: share of the stacked channels that is dropped in training, 0..1.
            norm_cfg, act_cfg: of mmcv's `ConvModule`.
        """
        super().__init__()
        pointwise = ConvModule(in_channels, channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg)
        dilated = [
            separable_conv(in_channels, channels, group_width, norm_cfg, act_cfg, dilation) for dilation in dilations
        ]
        self.branches = nn.ModuleList([pointwise, *dilated])
        self.dropout = nn.Dropout2d(dropout_ratio)
        self.mix = ConvModule(len(self.branches) * channels, channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, channels, H, W)."""
        stacked = torch.cat([branch(x) for branch in self.branches], dim=1)
        mixed: Tensor = self.mix(self.dropout(stacked))
        return mixed
