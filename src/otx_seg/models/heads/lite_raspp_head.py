"""LR-ASPP, the light head of MobileNetV3 (https://arxiv.org/abs/1905.02244, section 6.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from otx_seg.models.resampling import pool_to, resize_bilinear


@MODELS.register_module()
class LiteRASPPHead(BaseDecodeHead):
    """Coarse features, gated by the image's mean, and fine ones in one classifier.

    The gate averages over the whole image; in the paper over windows of 49x49 positions, most of a Cityscapes image.
    The paper adds the scores of a classifier for each level; one classifier of both levels side by side gives the same
    sums, and has one row per label.
    """

    def __init__(self, context_channels: int, in_channels: Sequence[int], **kwargs: Any) -> None:
        """
        Args:
            context_channels: that the coarse features are brought to.
            in_channels: of two levels of the backbone, the finer one first.
            kwargs: of mmseg's `BaseDecodeHead`: `in_index`, `num_classes`, `norm_cfg`, `act_cfg`, `dropout_ratio`,
                `align_corners`.

        Raises:
            ValueError: another number of levels.
        """
        if len(in_channels) != 2:
            raise ValueError(f"in_channels is {in_channels!r}; this head takes two levels, the finer one first")
        super().__init__(in_channels, context_channels + in_channels[0], input_transform="multiple_select", **kwargs)
        coarse = self.in_channels[1]
        self.context = ConvModule(coarse, context_channels, 1, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)
        self.gate = nn.Conv2d(coarse, context_channels, 1, bias=False)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """
        Args:
            inputs: the backbone's feature maps, (B, C_i, H_i, W_i), finest first.

        Returns:
            Logits (B, num_classes, H_0, W_0), at the resolution of the finer map chosen.
        """
        fine, coarse = self._transform_inputs(inputs)
        gated = self.context(coarse) * self.gate(pool_to(coarse, (1, 1))).sigmoid()
        enlarged = resize_bilinear(gated, fine.shape[2:], self.align_corners)
        return self.cls_seg(torch.cat([enlarged, fine], dim=1))
