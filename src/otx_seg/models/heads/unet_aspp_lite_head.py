"""The expanding path of a U-Net (https://arxiv.org/abs/1505.04597) of separable convolutions, over a lite ASPP."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from otx_seg.models.heads.dw_aspp_lite import DWASPPLite, grouped_conv, separable_conv
from otx_seg.models.resampling import resize_bilinear


@MODELS.register_module()
class UNetASPPLiteHead(BaseDecodeHead):
    """From the coarsest level to the finest: enlarge, stack the next finer one, smooth to its width; then classify.

    The smoothed levels have at least `channels` and at least twice as many channels as there are labels, so that many
    labels are not squeezed through the narrow maps of the fine levels.
    """

    def __init__(
        self,
        channels: int,
        aspp_channels: int,
        dilations: Sequence[int],
        dropout_ratio: float,
        num_classes: int,
        group_width: int = 1,
        **kwargs: Any,
    ) -> None:
        """
        Args:
            channels: the fewest of a smoothed level.
            aspp_channels, dilations, dropout_ratio, group_width: see `DWASPPLite`, where they are `channels` etc.
            num_classes: number of labels.
            kwargs: of mmseg's `BaseDecodeHead`: `in_channels` and `in_index` (finest first), `norm_cfg`, `act_cfg`,
                `align_corners`.
        """
        fewest = max(channels, 2 * num_classes)
        finer = [max(fewest, count) for count in kwargs["in_channels"][:-1]]
        super().__init__(
            input_transform="multiple_select", channels=finer[0], num_classes=num_classes, dropout_ratio=0, **kwargs
        )
        norm, act = self.norm_cfg, self.act_cfg
        self.aspp = DWASPPLite(self.in_channels[-1], aspp_channels, dilations, group_width, dropout_ratio, norm, act)
        self.smooth = nn.ModuleList(
            separable_conv(coarser + own, width, group_width, norm, act)
            for (width, coarser), own in zip(pairwise([*finer, aspp_channels]), self.in_channels[:-1], strict=True)
        )
        self.last = grouped_conv(self.channels, group_width, norm, None)

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
            enlarged = resize_bilinear(x, finer[level].shape[-2:], self.align_corners)
            x = self.smooth[level](torch.cat([enlarged, finer[level]], dim=1))
        return self.cls_seg(self.last(x))
