"""RegNetX (https://arxiv.org/abs/2003.13678): plain residual blocks of grouped convolutions, found by a design space.

The names of the modules are the keys of torchvision's published checkpoints. Their classifier is left out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch.nn.functional as functional
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

_STEM = 32
_INITIAL = [{"type": "Kaiming", "layer": "Conv2d"}, {"type": "Constant", "val": 1.0, "layer": "_BatchNorm"}]


class _Arch(NamedTuple):
    """Attributes:
    depths, widths: blocks and channels of each of the four stages.
    group_width: channels of a group of the 3x3 convolutions.
    """

    depths: tuple[int, int, int, int]
    widths: tuple[int, int, int, int]
    group_width: int


_ARCHS = {  # figure 16 of the paper
    "400MF": _Arch((1, 2, 7, 12), (32, 64, 160, 384), 16),
    "800MF": _Arch((1, 3, 7, 5), (64, 128, 288, 672), 16),
    "1.6GF": _Arch((2, 4, 10, 2), (72, 168, 408, 912), 24),
    "3.2GF": _Arch((2, 6, 15, 2), (96, 192, 432, 1008), 48),
}


def _with_norm(conv: nn.Conv2d, norm: dict[str, Any], relu: bool = True) -> nn.Sequential:
    """Convolution, norm and, where asked for, ReLU."""
    layers = [conv, build_norm_layer(norm, conv.out_channels)[1]]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


class XBlock(nn.Module):
    """The X block (section 3.2, figure 4): 1x1, grouped 3x3 and 1x1 convolution of one width, plus a shortcut."""

    def __init__(
        self, in_channels: int, channels: int, stride: int, dilation: int, group_width: int, norm: dict[str, Any]
    ) -> None:
        """
        Args:
            in_channels, channels: of the input, and of everything behind it.
            stride, dilation: of the 3x3 convolution; where the stride is not 1, or the channels change, the shortcut is
                a 1x1 convolution.
            group_width: channels of a group of the 3x3 convolution.
            norm: mmcv's configuration of a normalisation layer.
        """
        super().__init__()
        self.proj: nn.Module = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.proj = _with_norm(nn.Conv2d(in_channels, channels, 1, stride, bias=False), norm, relu=False)
        middle = nn.Conv2d(
            channels,
            channels,
            3,
            stride,
            padding=dilation,
            dilation=dilation,
            groups=channels // group_width,
            bias=False,
        )
        self.f = nn.Sequential(
            OrderedDict(
                a=_with_norm(nn.Conv2d(in_channels, channels, 1, bias=False), norm),
                b=_with_norm(middle, norm),
                c=_with_norm(nn.Conv2d(channels, channels, 1, bias=False), norm, relu=False),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, channels, H / stride, W / stride), rounded up."""
        return functional.relu(self.proj(x) + self.f(x))


@MODELS.register_module()
class RegNetX(BaseModule):
    """Features behind the stem and behind each of the four stages: at strides 2, 4, 8, 16 and 32 as published."""

    def __init__(
        self,
        arch: str,
        strides: Sequence[int] = (2, 2, 2, 2),
        dilations: Sequence[int] = (1, 1, 1, 1),
        out_indices: Sequence[int] = (0, 1, 2, 3, 4),
        norm_cfg: dict[str, Any] | None = None,
        init_cfg: Any = None,
    ) -> None:
        """
        Args:
            arch: ``400MF``, ``800MF``, ``1.6GF`` or ``3.2GF``: multiply-adds for an image of 224x224 pixels.
            strides: of the first block of each stage.
            dilations: of the blocks of each stage; its first block has that of the stage before, so that published
                weights see what they were trained on where a stride of 2 is replaced by a dilation of 2.
            out_indices: which of the five levels are given, 0 behind the stem to 4 behind the last stage; what no level
                needs is not built.
            norm_cfg: of the normalisation layers; None: batch norm.
            init_cfg: of mmengine's `BaseModule`; None: He's initialisation by the fan-out.

        Raises:
            ValueError: another arch or level, or not four strides and dilations.
        """
        super().__init__(init_cfg or _INITIAL)
        if arch not in _ARCHS:
            raise ValueError(f"arch is {arch!r}; there are {', '.join(_ARCHS)}")
        if not out_indices or not set(out_indices) <= set(range(5)):
            raise ValueError(f"out_indices is {out_indices!r}; the levels are 0 to 4")
        if not len(strides) == len(dilations) == 4:
            raise ValueError(f"strides is {strides!r} and dilations {dilations!r}; there are four stages")
        depths, widths, group_width = _ARCHS[arch]
        norm = norm_cfg or {"type": "BN"}
        self.out_indices = frozenset(out_indices)
        self.stem = _with_norm(nn.Conv2d(3, _STEM, 3, 2, padding=1, bias=False), norm)
        self.trunk_output = nn.Sequential()
        channels, dilation = _STEM, 1
        for stage in range(1, max(out_indices) + 1):
            width, blocks = widths[stage - 1], nn.Sequential()
            for index in range(depths[stage - 1]):
                stride = strides[stage - 1] if index == 0 else 1
                block = XBlock(channels, width, stride, dilation, group_width, norm)
                blocks.add_module(f"block{stage}-{index}", block)
                channels, dilation = width, dilations[stage - 1]
            self.trunk_output.add_module(f"block{stage}", blocks)

    def forward(self, images: Tensor) -> list[Tensor]:
        """
        Args:
            images: (B, 3, H, W), normalised.

        Returns:
            Feature maps of the levels asked for, finest first: (B, C, H / s, W / s), rounded up.
        """
        levels = [self.stem(images)]
        for stage in self.trunk_output:
            levels.append(stage(levels[-1]))
        return [level for index, level in enumerate(levels) if index in self.out_indices]
