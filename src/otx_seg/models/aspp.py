"""Atrous spatial pyramid pooling (DeepLabv3, https://arxiv.org/abs/1706.05587, section 3.3) without its projection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.models.decode_heads.aspp_head import ASPPModule
from torch import Tensor, nn

_ACTIVATION = {"type": "ReLU"}


class ASPP(nn.Module):
    """A 1x1 convolution, dilated 3x3 convolutions and the mean of the image, side by side.

    The mean has a bias where the others have a batch norm: one value per image and channel has no statistics in a batch
    of one.

    Attributes:
        out_channels: of the result.
    """

    def __init__(
        self, in_channels: int, channels: int, dilations: Sequence[int], norm_cfg: dict[str, Any] | None
    ) -> None:
        """
        Args:
            channels: of each of the parts.
            dilations: of the 3x3 convolutions, each larger than 1.
            norm_cfg: of the normalisation layers.
        """
        super().__init__()
        if not dilations or min(dilations) < 2:
            raise ValueError(f"dilations is {dilations!r}; it lists those of the 3x3 convolutions, from 2 on")
        self.branches = ASPPModule((1, *dilations), in_channels, channels, None, norm_cfg, _ACTIVATION)
        self.image = nn.Sequential(nn.Conv2d(in_channels, channels, 1), nn.ReLU(inplace=True))
        self.out_channels = (len(dilations) + 2) * channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W)."""
        image = self.image(x.mean(dim=(2, 3), keepdim=True))
        return torch.cat([image.expand(-1, -1, x.shape[2], x.shape[3]), *self.branches(x)], dim=1)
