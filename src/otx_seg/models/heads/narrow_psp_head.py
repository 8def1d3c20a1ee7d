"""PSPNet (https://arxiv.org/abs/1612.01105) whose pooled context is brought to few channels at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor

from otx_seg.models.heads.pyramid_pooling import PyramidPooling


@MODELS.register_module()
class NarrowPSPHead(BaseDecodeHead):
    """Pyramid pooling, a 1x1 convolution to `channels`, and the classifier.

    The paper has a 3x3 convolution to 512 channels between: 19 million parameters and, at an eighth of the resolution,
    as many multiply-adds as half of a ResNet-50. The grids share the width of the features, as in the paper: each adds
    `in_channels` divided by their number.
    """

    def __init__(self, bins: Sequence[int], **kwargs: Any) -> None:
        """
        Args:
            bins: cells along each side of the grids, see `PyramidPooling`.
            kwargs: of mmseg's `BaseDecodeHead`: `in_channels` and `in_index` of one level, `channels` before the
                classifier, `num_classes`, `norm_cfg`, `act_cfg`, `dropout_ratio`, `align_corners`.

        Raises:
            ValueError: no grid, or one without cells.
        """
        super().__init__(**kwargs)
        share = self.in_channels // max(len(bins), 1)
        self.pooling = PyramidPooling(bins, self.in_channels, share, self.norm_cfg, self.act_cfg, self.align_corners)
        self.bottleneck = ConvModule(
            self.pooling.out_channels, self.channels, 1, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """
        Args:
            inputs: the backbone's feature maps, of which that at `in_index` is used, (B, in_channels, H, W).

        Returns:
            Logits (B, num_classes, H, W).
        """
        return self.cls_seg(self.bottleneck(self.pooling(self._transform_inputs(inputs))))
