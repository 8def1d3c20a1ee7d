"""A feature pyramid (https://arxiv.org/abs/1612.03144) of separable convolutions, over a lite ASPP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from otx_seg.models.heads.dw_aspp_lite import DWASPPLite, grouped_conv, separable_conv
from otx_seg.models.resampling import resize_bilinear


@MODELS.register_module()
class FPNASPPLiteHead(BaseDecodeHead):
    """From the coarsest level to the finest: enlarge, add the next finer one, smooth; then classify."""

    def __init__(self, dilations: Sequence[int], dropout_ratio: float, group_width: int = 1, **kwargs: Any) -> None:
        """
        Args:
            dilations, dropout_ratio, group_width: see `DWASPPLite`.
            kwargs: of mmseg's `BaseDecodeHead`: `in_channels` and `in_index` (finest first), `channels` of the ASPP
                and the pyramid, `num_classes`, `norm_cfg`, `act_cfg`, `align_corners`.
        """
        super().__init__(input_transform="multiple_select", dropout_ratio=0, **kwargs)
        *finer, coarsest = self.in_channels
        width, norm, act = self.channels, self.norm_cfg, self.act_cfg
        self.aspp = DWASPPLite(coarsest, width, dilations, group_width, dropout_ratio, norm, act)
        self.laterals = nn.ModuleList(ConvModule(count, width, 1, norm_cfg=norm, act_cfg=act) for count in finer)
        self.smooth = nn.ModuleList(separable_conv(width, width, group_width, norm, act) for _ in finer)
        self.last = grouped_conv(width, group_width, norm, None)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """
        Args:
            inputs: the backbone's feature maps, (B, C_i, H_i, W_i), finest first.

        Returns:
            Logits (B, num_classes, H_0, W_0), at the resolution of the finest map chosen.
        """
        *finer, coarsest = self._transform_inputs(inputs)
        x = self.aspp(coarsest)
        for level in reversed(range(len(finer))):
            lateral = self.laterals[level](finer[level])
            x = self.smooth[level](lateral + resize_bilinear(x, lateral.shape[-2:], self.align_corners))
        return self.cls_seg(self.last(x))
