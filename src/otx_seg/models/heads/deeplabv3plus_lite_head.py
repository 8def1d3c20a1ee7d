"""A lite decoder of DeepLabV3+ (https://arxiv.org/abs/1802.02611, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor

from otx_seg.models.heads.dw_aspp_lite import DWASPPLite, grouped_conv
from otx_seg.models.resampling import resize_bilinear


@MODELS.register_module()
class DeepLabV3PlusLiteHead(BaseDecodeHead):
    """Lite ASPP of the coarsest level, enlarged to a shortcut from a finer one; both stacked and classified.

    Of the paper's two 3x3 convolutions after the stacking one is left, within groups of channels and without
    activation, in front of the classifier.
    """

    def __init__(
        self,
        aspp_channels: int,
        shortcut_channels: int,
        dilations: Sequence[int],
        dropout_ratio: float,
        group_width: int = 1,
        **kwargs: Any,
    ) -> None:
        """
        Args:
            aspp_channels, dilations, dropout_ratio, group_width: see `DWASPPLite`, where they are `channels` etc.;
                `group_width` is that of the last 3x3 convolution as well.
            shortcut_channels: width of the shortcut.
            kwargs: of mmseg's `BaseDecodeHead`: two `in_channels` and `in_index` (finest first), `num_classes`,
                `norm_cfg`, `act_cfg`, `align_corners`.

        Raises:
            ValueError: other than two levels.
        """
        channels = aspp_channels + shortcut_channels
        super().__init__(input_transform="multiple_select", channels=channels, dropout_ratio=0, **kwargs)
        if len(self.in_channels) != 2:
            raise ValueError(f"in_channels is {self.in_channels}; it takes a shortcut and the coarsest level, two")
        fine, coarse = self.in_channels
        self.aspp = DWASPPLite(
            coarse, aspp_channels, dilations, group_width, dropout_ratio, self.norm_cfg, self.act_cfg
        )
        self.shortcut = ConvModule(fine, shortcut_channels, 1, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)
        self.smooth = grouped_conv(channels, group_width, self.norm_cfg, None)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """
        Args:
            inputs: the backbone's feature maps, (B, C_i, H_i, W_i), finest first.

        Returns:
            Logits (B, num_classes, H_0, W_0), at the resolution of the shortcut.
        """
        fine, coarse = self._transform_inputs(inputs)
        x = resize_bilinear(self.aspp(coarse), fine.shape[-2:], self.align_corners)
        return self.cls_seg(self.smooth(torch.cat([x, self.shortcut(fine)], dim=1)))
