"""Lite-HRNet: a lightweight high-resolution network (https://arxiv.org/abs/2104.06403), version "lite".

The names of the attributes are the keys of published checkpoints, and so is one oddity, see `LiteHRModule.fuse`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import torch
import torch.nn.functional as functional
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from otx_seg.models.resampling import exporting, pool_to, resize_nearest

_NORM = {"type": "BN"}
_SIGMOID = {"type": "Sigmoid"}


def interleave(first: Tensor, second: Tensor) -> Tensor:
    """Concatenate along the channels and shuffle in two groups: channels a0 b0 a1 b1 ...

    Args:
        first, second: (B, C, H, W) each.

    Returns:
        (B, 2C, H, W).
    """
    if exporting() and not torch.onnx.is_in_onnx_export():  # ONNX does not have the operator
        # OpenVINO has this operator in the memory layout of its convolutions: the whole network takes half the time.
        return torch.channel_shuffle(torch.cat((first, second), dim=1), 2)
    return torch.stack((first, second), dim=2).flatten(1, 2)  # one copy instead of two


def _depthwise(channels: int, stride: int) -> ConvModule:
    return ConvModule(channels, channels, 3, stride=stride, padding=1, groups=channels, norm_cfg=_NORM, act_cfg=None)


def _separable(in_channels: int, out_channels: int, stride: int, relu: bool = True) -> nn.Sequential:
    """Depthwise 3x3 + BN, pointwise 1x1 + BN, ReLU if asked for; plain layers, as the checkpoints number them."""
    layers: list[nn.Module] = [
        nn.Conv2d(in_channels, in_channels, 3, stride, 1, groups=in_channels, bias=False),
        nn.BatchNorm2d(in_channels),
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        nn.BatchNorm2d(out_channels),
    ]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


class Stem(nn.Module):
    """Strided 3x3 convolution(s), then a strided shuffle block: both halves of the channels take their own way."""

    def __init__(self, channels: int, strides: tuple[int, int], extra_stride: bool) -> None:
        """
        Args:
            channels: output channels, even.
            strides: of the first convolution and of the shuffle block.
            extra_stride: whether a second convolution of stride 2 stands between them.
        """
        super().__init__()
        half = channels // 2
        self.conv1 = ConvModule(3, channels, 3, stride=strides[0], padding=1, norm_cfg=_NORM)
        self.conv2 = (
            ConvModule(channels, channels, 3, stride=2, padding=1, norm_cfg=_NORM) if extra_stride else nn.Identity()
        )
        self.branch1 = nn.Sequential(_depthwise(half, strides[1]), ConvModule(half, half, 1, norm_cfg=_NORM))
        self.expand_conv = ConvModule(half, channels, 1, norm_cfg=_NORM)
        self.depthwise_conv = _depthwise(channels, strides[1])
        self.linear_conv = ConvModule(channels, half, 1, norm_cfg=_NORM)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, channels, H / s, W / s), s the product of all strides, rounded up at each."""
        first, second = self.conv2(self.conv1(x)).chunk(2, dim=1)
        second = self.linear_conv(self.depthwise_conv(self.expand_conv(second)))
        return interleave(self.branch1(first), second)


class SpatialWeighting(nn.Module):
    """Weighs each channel by a gate computed from its mean over the image (paper, equation 4)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = channels // 4
        self.conv1 = ConvModule(channels, squeezed, 1)
        self.conv2 = ConvModule(squeezed, channels, 1, act_cfg=_SIGMOID)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        return x * self.conv2(self.conv1(x.mean((2, 3), keepdim=True)))


class CrossResolutionWeighting(nn.Module):
    """Gates for every channel and cell of the coarsest grid, computed from all resolutions (paper, equation 2)."""

    def __init__(self, channels: Sequence[int], ratio: int) -> None:
        super().__init__()
        self.channels = list(channels)
        total = sum(channels)
        self.conv1 = ConvModule(total, total // ratio, 1, norm_cfg=_NORM)
        self.conv2 = ConvModule(total // ratio, total, 1, norm_cfg=_NORM, act_cfg=_SIGMOID)

    def forward(self, branches: Sequence[Tensor]) -> list[Tensor]:
        """[(B, C_i, H_i, W_i), ...], finest first -> the same shapes."""
        pooled = [pool_to(x, branches[-1].shape[-2:]) for x in branches[:-1]]
        gates = self.conv2(self.conv1(torch.cat([*pooled, branches[-1]], dim=1))).split(self.channels, dim=1)
        gated = [x * resize_nearest(g, x.shape[-2:]) for x, g in zip(branches[:-1], gates, strict=False)]
        return [*gated, branches[-1] * gates[-1]]


class ConditionalChannelWeighting(nn.Module):
    """The block of Lite-HRNet: half of each branch passes, the other half is weighted and filtered (paper, figure 2c).

    1. Split each branch in halves.
    2. Cross-resolution weighting of the second halves.
    3. Depthwise 3x3 and batch norm, no activation.
    4. Spatial weighting.
    5. Interleave with the first halves.
    """

    def __init__(self, channels: Sequence[int], reduce_ratio: int) -> None:
        super().__init__()
        halves = [c // 2 for c in channels]
        self.cross_resolution_weighting = CrossResolutionWeighting(halves, reduce_ratio)
        self.depthwise_convs = nn.ModuleList(_depthwise(c, 1) for c in halves)
        self.spatial_weighting = nn.ModuleList(SpatialWeighting(c) for c in halves)

    def forward(self, branches: Sequence[Tensor]) -> list[Tensor]:
        """[(B, C_i, H_i, W_i), ...], finest first -> the same shapes."""
        halves = [x.chunk(2, dim=1) for x in branches]
        weighted = self.cross_resolution_weighting([second for _, second in halves])
        steps = zip(halves, weighted, self.depthwise_convs, self.spatial_weighting, strict=True)
        return [interleave(first, weigh(filter_(second))) for (first, _), second, filter_, weigh in steps]


class LiteHRModule(nn.Module):
    """Some blocks on all branches, then an exchange between the resolutions."""

    def __init__(self, channels: Sequence[int], blocks: int, reduce_ratio: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(ConditionalChannelWeighting(channels, reduce_ratio) for _ in range(blocks))
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(self._route(channels, source, target) for source in range(len(channels)))
            for target in range(len(channels))
        )

    @staticmethod
    def _route(channels: Sequence[int], source: int, target: int) -> nn.Module:
        """Layers from one branch to another; what they give to a finer branch is upsampled in `fuse`."""
        if source == target:
            return nn.Identity()
        if source > target:
            return nn.Sequential(
                nn.Conv2d(channels[source], channels[target], 1, bias=False), nn.BatchNorm2d(channels[target])
            )
        middle = [_separable(channels[source], channels[source], 2) for _ in range(target - source - 1)]
        return nn.Sequential(*middle, _separable(channels[source], channels[target], 2, relu=False))

    def fuse(self, branches: Sequence[Tensor]) -> list[Tensor]:
        """Sum, for each branch, what all branches contribute to it; ReLU.

        The published checkpoints were trained with two slips in this sum, so it has to be like this: branch 0
        contributes twice to every sum, and to the sums of the others it contributes what its own sum has become
        (before the ReLU), because that was accumulated in place.
        """
        sources, fused = list(branches), []
        for target, routes in enumerate(self.fuse_layers):
            parts = [route(x) for route, x in zip(cast(nn.ModuleList, routes), sources, strict=True)]
            total = parts[0] * 2
            for source, part in enumerate(parts[1:], start=1):
                total += resize_nearest(part, total.shape[-2:]) if source > target else part
            if target == 0:
                sources[0] = total
            # In place where nothing else reads the sum.
            fused.append(functional.relu(total, inplace=target > 0))
        return fused

    def forward(self, branches: Sequence[Tensor]) -> list[Tensor]:
        """[(B, C_i, H_i, W_i), ...], finest first -> the same shapes."""
        for layer in self.layers:
            branches = layer(branches)
        return self.fuse(branches)


@MODELS.register_module()
class LiteHRNet(BaseModule):
    """The backbone: a stem, then stages with one branch more each, every branch at half the resolution of the last."""

    def __init__(
        self,
        stem_channels: int,
        stem_strides: tuple[int, int],
        stem_extra_stride: bool,
        stages: Sequence[dict[str, Any]],
        init_cfg: list[dict[str, Any]],
    ) -> None:
        """
        Args:
            stem_channels, stem_strides, stem_extra_stride: see `Stem`.
            stages: for each ``{"modules": n, "blocks": n, "reduce_ratio": n, "channels": [one per branch]}``.
            init_cfg: mmengine's description of the initial weights.
        """
        super().__init__(init_cfg)
        self.stem = Stem(stem_channels, stem_strides, stem_extra_stride)
        self.num_stages = len(stages)
        for index, (before, stage) in enumerate(pairwise([{"channels": [stem_channels]}, *stages])):
            self.add_module(f"transition{index}", self._transition(before["channels"], stage["channels"]))
            modules = [
                LiteHRModule(stage["channels"], stage["blocks"], stage["reduce_ratio"]) for _ in range(stage["modules"])
            ]
            self.add_module(f"stage{index}", nn.Sequential(*modules))

    @staticmethod
    def _transition(before: Sequence[int], after: Sequence[int]) -> nn.ModuleList:
        """Layers that bring each branch to its new width, then those that open the new coarsest branch."""
        assert len(after) == len(before) + 1, "each stage has one branch more than the one before"
        kept = [
            nn.Identity() if old == new else _separable(old, new, 1) for old, new in zip(before, after, strict=False)
        ]
        # The checkpoints number a chain of strided steps here, which has one step.
        return nn.ModuleList([*kept, nn.Sequential(_separable(before[-1], after[-1], 2))])

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised image -> the branches of the last stage, [(B, C_i, H_i, W_i), ...], finest first."""
        branches = [self.stem(x)]
        for index in range(self.num_stages):
            transition = getattr(self, f"transition{index}")
            opened = transition[-1](branches[-1])
            branches = [adapt(branch) for branch, adapt in zip(branches, transition, strict=False)]
            branches = getattr(self, f"stage{index}")([*branches, opened])
        return branches
