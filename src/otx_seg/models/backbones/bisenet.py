"""BiSeNet (https://arxiv.org/abs/1808.00897): a shallow path for detail beside a backbone for context."""

from __future__ import annotations

from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmseg.models.backbones.bisenetv1 import ContextPath, SpatialPath
from mmseg.registry import MODELS
from torch import Tensor, nn

from otx_seg.models.resampling import pool_to

_NORM = {"type": "BN"}


class FeatureFusion(nn.Module):
    """The fusion of the paper (figure 2c): x + x * gate(x), with x a 1x1 convolution of both paths.

    mmseg's gate is one 1x1 convolution with batch norm and ReLU in front of the sigmoid, so that it never falls below a
    half.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        """
        Args:
            channels: of both paths together, and of the result.
            reduction: by how much the gate narrows them between its two 1x1 convolutions.

        Raises:
            ValueError: it leaves no channel.
        """
        super().__init__()
        if not 1 <= reduction <= channels:
            raise ValueError(f"reduction is {reduction}; of {channels} channels it has to leave 1 or more")
        narrow = channels // reduction
        self.conv = ConvModule(channels, channels, 1, norm_cfg=_NORM)
        self.gate = nn.Sequential(
            nn.Conv2d(channels, narrow, 1), nn.ReLU(), nn.Conv2d(narrow, channels, 1), nn.Sigmoid()
        )

    def forward(self, detail: Tensor, context: Tensor) -> Tensor:
        """Two maps of (B, channels / 2, H, W) -> (B, channels, H, W)."""
        x: Tensor = self.conv(torch.cat([detail, context], dim=1))
        return x + x * self.gate(pool_to(x, (1, 1)))


@MODELS.register_module()
class BiSeNet(BaseModule):
    """Features at stride 8: both paths fused, the context alone, and the context before its last refinement.

    The last has the stride of the third level of the backbone, 16, or 8 with dilation. The paths are mmseg's. They have
    batch norm of one value per image and channel, so this network needs two images to learn from. Other than mmseg's
    `BiSeNetV1`, a wider backbone does not need wider paths.
    """

    def __init__(
        self,
        backbone_cfg: dict[str, Any],
        backbone_channels: tuple[int, int],
        path_channels: int,
        reduction: int,
        init_cfg: Any = None,
    ) -> None:
        """
        Args:
            backbone_cfg: argument of the registry, for a backbone that gives four levels, the second at stride 8.
            backbone_channels: of its last two levels.
            path_channels: of each path where they meet, even.
            reduction: see `FeatureFusion`.
            init_cfg: of mmengine's `BaseModule`.

        Raises:
            ValueError: another number of levels or an unsuitable number of channels.
        """
        super().__init__(init_cfg)
        if len(backbone_channels) != 2:
            raise ValueError(f"backbone_channels is {backbone_channels!r}; it has two numbers, of the last two levels")
        if path_channels < 2 or path_channels % 2:
            raise ValueError(f"path_channels is {path_channels}; it is even")
        self.context_path = ContextPath(backbone_cfg, (path_channels, *backbone_channels))
        self.spatial_path = SpatialPath(num_channels=(*(path_channels // 2,) * 3, path_channels))
        self.fusion = FeatureFusion(2 * path_channels, reduction)

    def forward(self, images: Tensor) -> list[Tensor]:
        """
        Args:
            images: (B, 3, H, W), normalised.

        Returns:
            (B, 2 * path_channels, h, w) and (B, path_channels, h, w) at stride 8, (B, path_channels, h', w').
        """
        context, coarse = self.context_path(images)
        return [self.fusion(self.spatial_path(images), context), context, coarse]
