"""Means over ever finer grids of the feature map, beside it: the context of PSPNet (https://arxiv.org/abs/1612.01105)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from otx_seg.models.resampling import pool_to, resize_bilinear


class PyramidPooling(nn.Module):
    """The pyramid pooling module of section 3.2 of the paper.

    1. The features are averaged over the cells of each grid.
    2. A 1x1 convolution, normalisation and activation, of its own for each grid.
    3. Enlarged bilinearly and put behind the features.

    Its norms see one value per image and channel if a grid has one cell: batch norm needs two images to learn from.
    """

    def __init__(
        self,
        bins: Sequence[int],
        in_channels: int,
        channels: int,
        norm_cfg: dict[str, Any] | None,
        act_cfg: dict[str, Any],
        align_corners: bool,
    ) -> None:
        """
        Args:
            bins: cells along each side of a grid, 1 or more, for each grid.
            channels: that each grid adds.
            norm_cfg, act_cfg, align_corners: as mmseg's heads have them.

        Raises:
            ValueError: no grid, or one without cells.
        """
        super().__init__()
        if not bins or min(bins) < 1:
            raise ValueError(f"bins is {bins!r}; it lists the cells along a side of each grid, 1 or more")
        self.bins = tuple(bins)
        self.align_corners = align_corners
        self.out_channels = in_channels + len(bins) * channels
        self.branches = nn.ModuleList(
            ConvModule(in_channels, channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg) for _ in bins
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, in_channels + len(bins) * channels, H, W)."""
        size = x.shape[2:]
        levels = [x]
        for cells, branch in zip(self.bins, self.branches, strict=True):
            levels.append(resize_bilinear(branch(pool_to(x, (cells, cells))), size, self.align_corners))
        return torch.cat(levels, dim=1)
