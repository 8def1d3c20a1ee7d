"""A head that answers at a finer resolution than its features have, by sub-pixel convolution
(https://arxiv.org/abs/1609.05158)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as functional
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn


class SubPixelConv2d(nn.Module):
    """A 1x1 convolution that gives each position a square of outputs, with weights of its own for each place in it.

    Attributes:
        weight: (out_channels, in_channels, factor, factor), the last two the place in the square.
        bias: (out_channels,).
    """

    def __init__(self, in_channels: int, out_channels: int, factor: int) -> None:
        """
        Args:
            factor: side of the square, 1 or more.

        Raises:
            ValueError: it is less.
        """
        super().__init__()
        if factor < 1:
            raise ValueError(f"factor is {factor}; a position has 1 or more outputs along each side")
        self.in_channels = in_channels
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, factor, factor))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        nn.init.normal_(self.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, factor * H, factor * W)."""
        return sub_pixel_sums(x, self.weight) + self.bias.view(1, -1, 1, 1)


def sub_pixel_sums(x: Tensor, weight: Tensor) -> Tensor:
    """The weighted sums of a sub-pixel convolution, without its bias.

    Args:
        x: (B, C, H, W).
        weight: of K outputs, (K, C, f, f).

    Returns:
        (B, K, f * H, f * W).
    """
    kernels = weight.permute(0, 2, 3, 1).flatten(0, 2)[:, :, None, None]  # (K * f * f, C, 1, 1)
    return functional.pixel_shuffle(functional.conv2d(x, kernels), weight.shape[-1])


@MODELS.register_module()
class SubPixelHead(BaseDecodeHead):
    """A 3x3 convolution and a sub-pixel convolution as the classifier."""

    def __init__(self, factor: int, **kwargs: Any) -> None:
        """
        Args:
            factor: how many times finer the logits are than the features, along each side.
            kwargs: of mmseg's `BaseDecodeHead`: `in_channels` and `in_index` of one level, `channels`, `num_classes`,
                `norm_cfg`, `act_cfg`, `dropout_ratio`, `align_corners`.

        Raises:
            ValueError: `factor` is below 1.
        """
        super().__init__(**kwargs)
        self.conv = ConvModule(
            self.in_channels, self.channels, 3, padding=1, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg
        )
        self.conv_seg = SubPixelConv2d(self.channels, self.out_channels, factor)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """
        Args:
            inputs: the backbone's feature maps, of which that at `in_index` is used, (B, in_channels, H, W).

        Returns:
            Logits (B, num_classes, factor * H, factor * W).
        """
        return self.cls_seg(self.conv(self._transform_inputs(inputs)))
