"""The decode head of the Lite-HRNet templates: iterative aggregator, one 1x1 convolution, classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from otx_seg.models.heads.iterative_aggregator import IterativeAggregator


@MODELS.register_module()
class AggregatedFCNHead(BaseDecodeHead):
    """Classifies the pixels of the finest branch after the coarser ones have been merged into it."""

    def __init__(self, min_channels: int, norm_before_merge: bool, **kwargs: Any) -> None:
        """
        Args:
            min_channels, norm_before_merge: see `IterativeAggregator`.
            kwargs: of mmseg's `BaseDecodeHead`: `in_channels` and `in_index` (finest first), `channels`,
                `num_classes`, `norm_cfg`, `dropout_ratio`, `align_corners`.
        """
        super().__init__(input_transform="multiple_select", **kwargs)
        self.aggregator = IterativeAggregator(self.in_channels, min_channels, norm_before_merge)
        finest = max(self.in_channels[0], min_channels)
        # No activation: the published networks classify the bare output of the batch norm.
        self.convs = nn.Sequential(ConvModule(finest, self.channels, 1, norm_cfg=self.norm_cfg, act_cfg=None))

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """
        Args:
            inputs: the backbone's branches, (B, C_i, H_i, W_i), finest first.

        Returns:
            Logits (B, num_classes, H_0, W_0), at the resolution of the finest branch.
        """
        return self.cls_seg(self.convs(self.aggregator(self._transform_inputs(inputs))))
