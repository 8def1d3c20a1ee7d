"""Xception (https://arxiv.org/abs/1610.02357), figure 5, without its classifier."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

_MIDDLE_BLOCKS = 8
_INIT = (
    {"type": "Kaiming", "layer": "Conv2d"},
    {"type": "Constant", "val": 1, "layer": ["_BatchNorm", "GroupNorm"]},
)


def _separable(in_channels: int, out_channels: int, norm: dict[str, Any]) -> list[nn.Module]:
    """A 3x3 convolution of each channel, a 1x1 convolution, no activation between (section 4.7), and a norm."""
    return [
        nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False),
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        build_norm_layer(norm, out_channels)[1],
    ]


class XceptionBlock(nn.Module):
    """ReLU and a separable convolution, several times, added to the input.

    One that halves the resolution ends in max pooling, and brings its input to that by a 1x1 convolution of stride 2.
    """

    def __init__(self, channels: Sequence[int], halves: bool, norm: dict[str, Any]) -> None:
        """
        Args:
            channels: of the input and behind each separable convolution; the last as the first unless it halves.
            halves: whether it halves the resolution.
            norm: mmcv's configuration of a normalisation layer.
        """
        super().__init__()
        layers: list[nn.Module] = []
        for given, wanted in pairwise(channels):
            layers += [nn.ReLU(), *_separable(given, wanted, norm)]
        self.skip = nn.Sequential()
        if halves:
            layers.append(nn.MaxPool2d(3, stride=2, padding=1))
            self.skip.append(nn.Conv2d(channels[0], channels[-1], 1, stride=2, bias=False))
            self.skip.append(build_norm_layer(norm, channels[-1])[1])
        self.branch = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels[0], H, W) -> (B, channels[-1], H, W), with half of H and W, rounded up, if it halves."""
        added: Tensor = self.branch(x) + self.skip(x)
        return added


@MODELS.register_module()
class Xception(BaseModule):
    """Features at strides 2, 4, 8, 16 and 32, with 64, 128, 256, 728 and 2048 channels.

    The first two convolutions are padded, which the paper's are not, so that the levels have these strides.
    """

    def __init__(
        self,
        out_indices: Sequence[int] = (0, 1, 2, 3, 4),
        norm_cfg: dict[str, Any] | None = None,
        init_cfg: Any = _INIT,
    ) -> None:
        """
        Args:
            out_indices: which of the five levels are given, 0 at stride 2 to 4 at stride 32; what no level needs is not
                built.
            norm_cfg: of the normalisation layers; None: batch norm.
            init_cfg: of mmengine's `BaseModule`.

        Raises:
            ValueError: a level that it has not.
        """
        super().__init__(list(init_cfg) if isinstance(init_cfg, tuple) else init_cfg)
        if not out_indices or not set(out_indices) <= set(range(5)):
            raise ValueError(f"out_indices is {out_indices!r}; the levels are 0 to 4")
        norm = norm_cfg or {"type": "BN"}
        middle = [XceptionBlock([728] * 4, False, norm) for _ in range(_MIDDLE_BLOCKS)]
        levels = (
            [
                nn.Conv2d(3, 32, 3, stride=2, padding=1, bias=False),
                build_norm_layer(norm, 32)[1],
                nn.ReLU(),
                nn.Conv2d(32, 64, 3, padding=1, bias=False),
                build_norm_layer(norm, 64)[1],
                nn.ReLU(),
            ],
            [XceptionBlock([64, 128, 128], True, norm)],
            [XceptionBlock([128, 256, 256], True, norm)],
            [XceptionBlock([256, 728, 728], True, norm), *middle],
            [
                XceptionBlock([728, 728, 1024], True, norm),
                *_separable(1024, 1536, norm),
                nn.ReLU(),
                *_separable(1536, 2048, norm),
                nn.ReLU(),
            ],
        )
        self.levels = nn.ModuleList(nn.Sequential(*layers) for layers in levels[: max(out_indices) + 1])
        self.out_indices = set(out_indices)

    def forward(self, images: Tensor) -> list[Tensor]:
        """
        Args:
            images: (B, 3, H, W), normalised.

        Returns:
            Feature maps of the levels asked for, finest first: (B, C, H / s, W / s), rounded up.
        """
        x, given = images, []
        for index, level in enumerate(self.levels):
            x = level(x)
            if index in self.out_indices:
                given.append(x)
        return given
