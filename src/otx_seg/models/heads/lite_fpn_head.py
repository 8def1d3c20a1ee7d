"""A feature pyramid (https://arxiv.org/abs/1612.03144) of depthwise-separable convolutions as a decode head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from otx_seg.models.resampling import resize_nearest


@MODELS.register_module()
class LiteFPNHead(BaseDecodeHead):
    """From the coarsest feature map to the finest: enlarge, add the next finer one, smooth; then classify.

    The 1x1 convolutions of the features have no activation before the addition, so that a quantised model can add
    within the convolution.
    """

    def __init__(self, **kwargs: Any) -> None:
        """
        Args:
            kwargs: of mmseg's `BaseDecodeHead`: `in_channels` and `in_index` (finest first), `channels` of the
                pyramid, `num_classes`, `norm_cfg`, `act_cfg`, `dropout_ratio`, `align_corners`.
        """
        super().__init__(input_transform="multiple_select", **kwargs)
        self.laterals = nn.ModuleList(
            ConvModule(channels, self.channels, 1, norm_cfg=self.norm_cfg, act_cfg=None)
            for channels in self.in_channels
        )
        self.smooth = nn.ModuleList(
            DepthwiseSeparableConvModule(
                self.channels, self.channels, 3, padding=1, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg
            )
            for _ in self.in_channels
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """
        Args:
            inputs: the backbone's feature maps, (B, C_i, H_i, W_i), finest first.

        Returns:
            Logits (B, num_classes, H_0, W_0), at the resolution of the finest map chosen.
        """
        *finer, coarsest = self._transform_inputs(inputs)
        x = self.smooth[-1](self.laterals[-1](coarsest))
        for level in reversed(range(len(finer))):
            lateral = self.laterals[level](finer[level])
            x = self.smooth[level](lateral + resize_nearest(x, lateral.shape[2:]))
        return self.cls_seg(x)
