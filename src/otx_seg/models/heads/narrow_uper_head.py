"""UPerNet (https://arxiv.org/abs/1807.10221): pyramid pooling on top of a feature pyramid; its head for objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from otx_seg.models.heads.pyramid_pooling import PyramidPooling
from otx_seg.models.resampling import resize_bilinear


@MODELS.register_module()
class NarrowUPerHead(BaseDecodeHead):
    """Classifies the levels of a feature pyramid side by side.

    1. The coarsest level gets its context by pyramid pooling and a 3x3 convolution to `pyramid_channels`.
    2. From there to the finest level: enlarge, add the next finer one through a 1x1 convolution.
    3. A 3x3 convolution for each level.
    4. All of them, at the resolution of the finest, go into a 3x3 convolution that is the classifier.

    mmseg's `UPerHead` has one more 3x3 convolution before its classifier, which does half of the head's work, and none
    for the coarsest level.
    """

    def __init__(self, bins: Sequence[int], pyramid_channels: int, in_channels: Sequence[int], **kwargs: Any) -> None:
        """
        Args:
            bins: cells along each side of the grids, see `PyramidPooling`.
            pyramid_channels: of each level.
            in_channels: of the backbone's levels, finest first; at least two.
            kwargs: of mmseg's `BaseDecodeHead`: `in_index`, `num_classes`, `norm_cfg`, `act_cfg`, `dropout_ratio`,
                `align_corners`.

        Raises:
            ValueError: fewer than two levels; no grid, or one without cells.
        """
        if len(in_channels) < 2:
            raise ValueError(f"in_channels is {in_channels!r}; a pyramid has two levels or more")
        width, levels = pyramid_channels, len(in_channels)
        super().__init__(in_channels, width * levels, input_transform="multiple_select", **kwargs)
        blocks = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        *finer, coarsest = self.in_channels
        self.pooling = PyramidPooling(bins, coarsest, width, align_corners=self.align_corners, **blocks)
        self.bottleneck = ConvModule(self.pooling.out_channels, width, 3, padding=1, **blocks)
        self.laterals = nn.ModuleList(ConvModule(channels, width, 1, **blocks) for channels in finer)
        self.smooth = nn.ModuleList(ConvModule(width, width, 3, padding=1, **blocks) for _ in range(levels))
        self.conv_seg = nn.Conv2d(self.channels, self.out_channels, 3, padding=1)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """
        Args:
            inputs: the backbone's feature maps, (B, C_i, H_i, W_i), finest first.

        Returns:
            Logits (B, num_classes, H_0, W_0), at the resolution of the finest map chosen.
        """
        *finer, coarsest = self._transform_inputs(inputs)
        x = self.bottleneck(self.pooling(coarsest))
        levels = [self.smooth[-1](x)]
        for level in reversed(range(len(finer))):
            lateral = self.laterals[level](finer[level])
            x = lateral + resize_bilinear(x, lateral.shape[2:], self.align_corners)
            levels.append(self.smooth[level](x))
        *coarser, finest = levels
        enlarged = [resize_bilinear(level, finest.shape[2:], self.align_corners) for level in reversed(coarser)]
        return self.cls_seg(torch.cat([finest, *enlarged], dim=1))
