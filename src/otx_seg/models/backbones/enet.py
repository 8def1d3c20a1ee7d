"""ENet's encoder (Paszke et al. 2016, https://arxiv.org/abs/1606.02147).

Batch norm and PReLU stand between the convolutions of a bottleneck, not behind the last one, and a PReLU has one slope
for all channels; the paper has one for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as functional
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from otx_seg.models.resampling import pad_to_even

_CHANNELS = (16, 64, 128)  # of the initial block, section 1, sections 2 and 3: table 1 of the paper
_REDUCTION = 4  # of the channels within a bottleneck
_REGULAR = 4  # bottlenecks of section 1 after the first
_ASYMMETRIC = 5  # length of the kernel of asymmetric convolutions
_SECTION = (1, 2, 0, 4, 1, 8, 0, 16)  # of sections 2 and 3: dilations, 0 for an asymmetric convolution


def active(conv: nn.Module, channels: int, norm: dict[str, Any]) -> list[nn.Module]:
    """A convolution, the normalisation of its `channels` outputs, and a PReLU."""
    return [conv, build_norm_layer(norm, channels)[1], nn.PReLU()]


class Bottleneck(nn.Module):
    """Figure 2b of the paper without change of resolution: 1x1, main and 1x1 convolution, added to the input."""

    def __init__(self, channels: int, dilation: int, dropout: float, norm: dict[str, Any]) -> None:
        """
        Args:
            dilation: of the main 3x3 convolution; 0: a 5x1 and a 1x5 convolution in its place.
            dropout: share of the channels that are left out of the sum in training.
            norm: mmcv's configuration of a normalisation layer.
        """
        super().__init__()
        inner = channels // _REDUCTION
        if dilation:
            main = [nn.Conv2d(inner, inner, 3, padding=dilation, dilation=dilation, bias=False)]
        else:
            along = _ASYMMETRIC // 2
            main = [
                nn.Conv2d(inner, inner, (_ASYMMETRIC, 1), padding=(along, 0), bias=False),
                nn.Conv2d(inner, inner, (1, _ASYMMETRIC), padding=(0, along), bias=False),
            ]
        self.extension = nn.Sequential(
            *active(nn.Conv2d(channels, inner, 1, bias=False), inner, norm),
            *main[:-1],
            *active(main[-1], inner, norm),
            nn.Conv2d(inner, channels, 1, bias=False),
            nn.Dropout2d(dropout),
        )
        self.activation = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> the same shape."""
        out: Tensor = self.activation(x + self.extension(x))
        return out


class DownsamplingBottleneck(nn.Module):
    """Figure 2b of the paper at half the resolution: the first convolution is 2x2 with stride 2, and what it is added
    to is the input after max pooling, with channels of zeros behind."""

    def __init__(self, in_channels: int, out_channels: int, dropout: float, norm: dict[str, Any]) -> None:
        """
        Args:
            out_channels: at least `in_channels`.
            dropout, norm: see `Bottleneck`.
        """
        super().__init__()
        inner = in_channels // _REDUCTION
        self.added = out_channels - in_channels
        self.extension = nn.Sequential(
            *active(nn.Conv2d(in_channels, inner, 2, stride=2, bias=False), inner, norm),
            *active(nn.Conv2d(inner, inner, 3, padding=1, bias=False), inner, norm),
            nn.Conv2d(inner, out_channels, 1, bias=False),
            nn.Dropout2d(dropout),
        )
        self.activation = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H / 2, W / 2), rounded up."""
        x = pad_to_even(x)
        pooled = functional.pad(functional.max_pool2d(x, 2), (0, 0, 0, 0, 0, self.added))
        out: Tensor = self.activation(pooled + self.extension(x))
        return out


@MODELS.register_module()
class ENet(BaseModule):
    """The initial block and sections 1 to 3 of ENet.

    Its feature maps, with 16, 64 and 128 channels at strides 2, 4 and 8, are the outputs of the initial block, of
    section 1 and of section 3. The first two are what sections 1 and 2 begin to pool, so that a decoder finds in them
    where the maxima lay (see `ENetHead`).
    """

    def __init__(
        self,
        dropout_ratios: Sequence[float] = (0.01, 0.1),
        norm_cfg: dict[str, Any] | None = None,
        init_cfg: Any = None,
    ) -> None:
        """
        Args:
            dropout_ratios: share of the channels left out in the bottlenecks of section 1, and of sections 2 and 3,
                0..1.
            norm_cfg: of the normalisation layers; None: batch norm.
            init_cfg: of mmengine's `BaseModule`.
        """
        super().__init__(init_cfg)
        if len(dropout_ratios) != 2:
            raise ValueError(
                f"dropout_ratios is {dropout_ratios!r}; it has two numbers, of section 1 and the later ones"
            )
        norm = norm_cfg or {"type": "BN"}
        early, late = dropout_ratios
        first, second, third = _CHANNELS
        self.initial_conv = nn.Conv2d(3, first - 3, 3, stride=2, padding=1, bias=False)
        self.initial_norm = nn.Sequential(build_norm_layer(norm, first)[1], nn.PReLU())
        self.section1 = nn.Sequential(
            DownsamplingBottleneck(first, second, early, norm),
            *(Bottleneck(second, 1, early, norm) for _ in range(_REGULAR)),
        )
        self.section2 = nn.Sequential(
            DownsamplingBottleneck(second, third, late, norm),
            *(Bottleneck(third, dilation, late, norm) for dilation in _SECTION),
        )
        self.section3 = nn.Sequential(*(Bottleneck(third, dilation, late, norm) for dilation in _SECTION))

    def forward(self, images: Tensor) -> list[Tensor]:
        """
        Args:
            images: (B, 3, H, W), normalised.

        Returns:
            (B, 16, H / 2, W / 2), (B, 64, H / 4, W / 4) and (B, 128, H / 8, W / 8), rounded up.
        """
        images = pad_to_even(images)
        joined = torch.cat([self.initial_conv(images), functional.max_pool2d(images, 2)], dim=1)
        initial: Tensor = self.initial_norm(joined)
        fine = self.section1(initial)
        return [initial, fine, self.section3(self.section2(fine))]
