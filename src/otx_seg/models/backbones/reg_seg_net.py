"""The encoder of RegSeg (https://arxiv.org/abs/2111.09957): RegNetY's blocks, with two rates of dilation in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

_SQUEEZE = 4  # channels of a block's input for each one of its squeeze-and-excitation


class SqueezeExcitation(nn.Module):
    """A gate for each channel from its mean over the image (https://arxiv.org/abs/1709.01507)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, hidden, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> the same."""
        gated: Tensor = x * self.gate(x)
        return gated


class DBlock(nn.Module):
    """1x1 convolution, grouped 3x3 convolutions with a rate of dilation for each part of the channels,
    squeeze-and-excitation, 1x1 convolution; added to its input (section 3.1)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        dilations: Sequence[int],
        group_width: int,
        norm_cfg: dict[str, Any],
    ) -> None:
        """
        Args:
            stride: 1 or 2, of the 3x3 convolutions.
            dilations: of the equal parts that the channels are split into.
            group_width: channels of one group of the 3x3 convolutions.

        Raises:
            ValueError: the channels cannot be split into parts of whole groups.
        """
        super().__init__()
        part = out_channels // len(dilations)
        if part * len(dilations) != out_channels or part % group_width:
            raise ValueError(
                f"{out_channels} channels cannot be split into {len(dilations)} parts of whole groups of {group_width}"
            )
        self.narrow = ConvModule(in_channels, out_channels, 1, norm_cfg=norm_cfg)
        self.parts = nn.ModuleList(
            ConvModule(
                part, part, 3, stride, dilation, dilation, groups=part // group_width, norm_cfg=norm_cfg, bias=False
            )
            for dilation in dilations
        )
        self.excite = SqueezeExcitation(out_channels, in_channels // _SQUEEZE)
        self.widen = ConvModule(out_channels, out_channels, 1, norm_cfg=norm_cfg, act_cfg=None)
        # ceil_mode and not counting the padding: an odd side ends as the stride of the convolutions ends it.
        shortcut: list[nn.Module] = [nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)] if stride == 2 else []
        if stride == 2 or in_channels != out_channels:
            shortcut.append(ConvModule(in_channels, out_channels, 1, norm_cfg=norm_cfg, act_cfg=None))
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, ceil(H / stride), ceil(W / stride))."""
        narrow = self.narrow(x).chunk(len(self.parts), dim=1)
        dilated = torch.cat([filter_(part) for filter_, part in zip(self.parts, narrow, strict=True)], dim=1)
        return torch.relu(self.widen(self.excite(dilated)) + self.shortcut(x))


@MODELS.register_module()
class RegSegNet(BaseModule):
    """Features at strides 4, 8 and 16: the field of view grows by dilation instead of further strides."""

    def __init__(
        self,
        stem_channels: int,
        channels: Sequence[int],
        last_channels: int,
        dilations: Sequence[Sequence[Sequence[int]]],
        group_width: int,
        norm_cfg: dict[str, Any],
        init_cfg: Any = None,
    ) -> None:
        """
        Args:
            stem_channels: of the 3x3 convolution at stride 2.
            channels: of the stages at strides 4, 8 and 16.
            last_channels: of the last block.
            dilations: of each block of each stage.
            group_width: channels of one group of the 3x3 convolutions.
            norm_cfg: of the normalisation layers.
            init_cfg: of mmengine's `BaseModule`.

        Raises:
            ValueError: there are not three stages of at least one block each.
        """
        super().__init__(init_cfg)
        if len(channels) != 3 or len(dilations) != 3 or not all(dilations):
            raise ValueError(
                f"channels is {channels!r}, dilations has {len(dilations)} stages; there are three, of a block or more"
            )
        self.stem = ConvModule(3, stem_channels, 3, 2, 1, norm_cfg=norm_cfg)
        self.stages = nn.ModuleList()
        before = stem_channels
        for stage, (width, of_blocks) in enumerate(zip(channels, dilations, strict=True)):
            blocks = []
            for block, rates in enumerate(of_blocks):
                is_last = stage == len(channels) - 1 and block == len(of_blocks) - 1
                after = last_channels if is_last else width
                blocks.append(DBlock(before, after, 2 if block == 0 else 1, rates, group_width, norm_cfg))
                before = after
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, images: Tensor) -> list[Tensor]:
        """
        Args:
            images: (B, 3, H, W), normalised.

        Returns:
            Feature maps of the three stages, finest first: (B, C, H / s, W / s), rounded up, with s of 4, 8 and 16.
        """
        x = self.stem(images)
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        return levels
