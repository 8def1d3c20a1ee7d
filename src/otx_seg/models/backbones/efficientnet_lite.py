"""EfficientNet-Lite: EfficientNet (https://arxiv.org/abs/1905.11946) for edge processors, without gates and with ReLU6.

The names of the attributes are the keys of the published checkpoints. Their classifier of 1,000 classes is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as functional
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from otx_seg.models.resampling import exporting

_STAGES = (  # blocks, kernel, stride, expansion, channels: table 1 of the paper
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_SCALES = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}  # of channels, of blocks
_STEM = 32
_NORM = {"type": "BN", "eps": 1e-3}
"""The momentum is the usual 0.1. The published 0.01 is for hundreds of thousands of steps: after a few hundred from
random weights, the running statistics are still those of earlier ones."""


def _channels(count: int, factor: float) -> int:
    """`count` times `factor`, rounded to a multiple of 8, but not to less than nine tenths of it."""
    scaled = count * factor
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * scaled else rounded + 8


class SameConv2d(nn.Conv2d):
    """Convolution without bias, padded as TensorFlow's SAME: of an odd number of zeros, the one more is behind."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        """
        Args:
            kernel: odd.
            stride: 1 or 2.
        """
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False)

    def padded(self, x: Tensor) -> Tensor:
        """What is convolved: with stride 2, (B, C, H, W) with zeros around."""
        if self.stride[0] == 1:
            return x
        behind = self.kernel_size[0] // 2
        left, above = (behind - 1 + x.shape[axis] % 2 for axis in (3, 2))
        return functional.pad(x, (left, behind, above, behind))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, out_channels, ceil(H / stride), ceil(W / stride))."""
        return super().forward(self.padded(x))


class InvertedResidual(nn.Module):
    """1x1 convolution to more channels, depthwise convolution, 1x1 convolution to fewer; added to its input."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int, expansion: int, norm: dict[str, Any]
    ) -> None:
        """
        Args:
            stride: of the depthwise convolution; the input is added where it is 1 and the channels stay as many.
            expansion: channels between the 1x1 convolutions, as a multiple of `in_channels`; 1: no first convolution.
            norm: mmcv's configuration of a normalisation layer.
        """
        super().__init__()
        wide = in_channels * expansion
        self.residual = stride == 1 and in_channels == out_channels
        if expansion != 1:
            self._expand_conv = SameConv2d(in_channels, wide, 1)
            self._bn0 = build_norm_layer(norm, wide)[1]
        self._depthwise_conv = SameConv2d(wide, wide, kernel, stride, groups=wide)
        self._bn1 = build_norm_layer(norm, wide)[1]
        self._project_conv = SameConv2d(wide, out_channels, 1)
        self._bn2 = build_norm_layer(norm, out_channels)[1]
        self.expands = expansion != 1

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, ceil(H / stride), ceil(W / stride))."""
        wide = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        wide = functional.relu6(self._bn1(self._depthwise_conv(wide)))
        narrow: Tensor = self._bn2(self._project_conv(wide))
        return x + narrow if self.residual else narrow


@MODELS.register_module()
class EfficientNetLite(BaseModule):
    """Features at strides 2, 4, 8, 16 and 32, with 16, 24, 40, 112 and 320 channels in `lite0`."""

    def __init__(
        self,
        arch: Literal["lite0", "lite1", "lite2"],
        out_indices: Sequence[int] = (0, 1, 2, 3, 4),
        norm_cfg: dict[str, Any] | None = None,
        init_cfg: Any = None,
    ) -> None:
        """
        Args:
            arch: how wide and how deep.
            out_indices: which of the five levels are given, 0 at stride 2 to 4 at stride 32; what no level needs is not
                built.
            norm_cfg: of the normalisation layers; None: batch norm with the published eps, 0.001, and momentum 0.1.
            init_cfg: of mmengine's `BaseModule`.
        """
        super().__init__(init_cfg)
        if arch not in _SCALES:
            raise ValueError(f"arch is {arch!r}; there are {', '.join(_SCALES)}")
        if not out_indices or not set(out_indices) <= set(range(5)):
            raise ValueError(f"out_indices is {out_indices!r}; the levels are 0 to 4")
        width, depth = _SCALES[arch]
        norm = norm_cfg or _NORM
        self._conv_stem = SameConv2d(3, _STEM, 3, 2)
        self._bn0 = build_norm_layer(norm, _STEM)[1]
        blocks: list[nn.Module] = []
        ends: list[int] = []  # after how many blocks a level is complete
        channels = _STEM
        for place, (repeats, kernel, stride, expansion, count) in enumerate(_STAGES):
            if stride == 2:
                ends.append(len(blocks))
            if len(ends) > max(out_indices):
                break
            # The published networks do not scale the depth of the first and the last stage.
            repeats = repeats if place in (0, len(_STAGES) - 1) else math.ceil(depth * repeats)
            for block in range(repeats):
                out_channels = _channels(count, width)
                blocks.append(
                    InvertedResidual(channels, out_channels, kernel, stride if block == 0 else 1, expansion, norm)
                )
                channels = out_channels
        else:
            ends.append(len(blocks))
        self._blocks = nn.ModuleList(blocks)
        self.ends = [ends[index] for index in sorted(out_indices)]

    def forward(self, images: Tensor) -> list[Tensor]:
        """
        Args:
            images: (B, 3, H, W), normalised.

        Returns:
            Feature maps of the levels asked for, finest first: (B, C, H / s, W / s), rounded up.
        """
        if not exporting():  # a training step on a CPU takes two thirds of the time in this memory layout
            images = images.contiguous(memory_format=torch.channels_last)
        x = functional.relu6(self._bn0(self._conv_stem(images)))
        levels = []
        for count, block in enumerate(self._blocks, 1):
            x = block(x)
            if count in self.ends:
                levels.append(x)
        return levels
