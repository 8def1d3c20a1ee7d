"""The decoder of RegSeg (https://arxiv.org/abs/2111.09957)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from otx_seg.models.resampling import resize_bilinear


@MODELS.register_module()
class RegSegHead(BaseDecodeHead):
    """The coarsest features are enlarged and added to the middle ones; a 3x3 convolution; enlarged, beside the finest
    ones; a 3x3 convolution; then classify (section 3.3)."""

    def __init__(self, lateral_channels: Sequence[int], sum_channels: int, **kwargs: Any) -> None:
        """
        Args:
            lateral_channels: of the 1x1 convolutions of the finest feature map, and of the two others, which are added.
            sum_channels: of the 3x3 convolution of that sum.
            kwargs: of mmseg's `BaseDecodeHead`: `in_channels` and `in_index` (three of each, finest first), `channels`
                before the classifier, `num_classes`, `norm_cfg`, `dropout_ratio`, `align_corners`.

        Raises:
            ValueError: there are not three maps.
        """
        super().__init__(input_transform="multiple_select", **kwargs)
        if len(self.in_channels) != 3 or len(lateral_channels) != 2:
            raise ValueError(
                f"in_channels is {self.in_channels!r} and lateral_channels {lateral_channels!r}; it takes three and two"
            )
        finest, added = lateral_channels
        self.laterals = nn.ModuleList(
            ConvModule(channels, lateral, 1, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)
            for channels, lateral in zip(self.in_channels, (finest, added, added), strict=True)
        )
        self.of_sum = ConvModule(added, sum_channels, 3, padding=1, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)
        self.last = ConvModule(
            sum_channels + finest, self.channels, 3, padding=1, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """
        Args:
            inputs: the backbone's feature maps, (B, C_i, H_i, W_i), finest first.

        Returns:
            Logits (B, num_classes, H_0, W_0), at the resolution of the finest map chosen.
        """
        levels = self._transform_inputs(inputs)
        finest, middle, coarsest = (lateral(level) for lateral, level in zip(self.laterals, levels, strict=True))
        x = self.of_sum(middle + resize_bilinear(coarsest, middle.shape[2:], self.align_corners))
        x = resize_bilinear(x, finest.shape[2:], self.align_corners)
        return self.cls_seg(self.last(torch.cat([x, finest], dim=1)))
