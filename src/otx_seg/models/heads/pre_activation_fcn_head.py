"""The head of DDRNet (https://arxiv.org/abs/2101.06085), for features that have not been activated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import ConvModule, build_activation_layer, build_norm_layer
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class PreActivationFCNHead(BaseDecodeHead):
    """Batch norm, activation, 3x3 convolution, batch norm, activation; then classify.

    mmseg's DDRHead holds an auxiliary head as well. The names are those of its main part.
    """

    def __init__(self, **kwargs: Any) -> None:
        """
        Args:
            kwargs: of mmseg's `BaseDecodeHead`: `in_channels` and `in_index` of one feature map, `channels` after the
                3x3 convolution, `num_classes`, `norm_cfg`, `act_cfg`, `dropout_ratio`, `align_corners`.
        """
        super().__init__(**kwargs)
        convolution = ConvModule(
            self.in_channels,
            self.channels,
            3,
            padding=1,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
            order=("norm", "act", "conv"),
        )
        norm = build_norm_layer(self.norm_cfg, self.channels)[1]
        self.head = nn.Sequential(convolution, norm, build_activation_layer(self.act_cfg))

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """
        Args:
            inputs: the backbone's feature maps.

        Returns:
            Logits (B, num_classes, h, w), at the resolution of the map chosen.
        """
        return self.cls_seg(self.head(self._transform_inputs(inputs)))
