"""DeepLabV3 (https://arxiv.org/abs/1706.05587): dilated convolutions and the image's mean side by side."""

from __future__ import annotations

from typing import Any

from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.aspp_head import ASPPHead
from mmseg.registry import MODELS
from torch import nn


@MODELS.register_module()
class DeepLabV3Head(ASPPHead):
    """mmseg's `ASPPHead` with the 1x1 convolution behind the branches that the paper has (section 3.3), then a 3x3 one.

    mmseg has one 3x3 convolution of all branches instead, with three times the work. The image's mean passes a norm: of
    one value per image and channel, so batch norm needs two images to learn from.
    """

    def __init__(self, **kwargs: Any) -> None:
        """
        Args:
            kwargs: of mmseg's `ASPPHead`: `dilations` of the branches (1: a 1x1 convolution), `in_channels` and
                `in_index` of one level, `channels`, `num_classes`, `norm_cfg`, `act_cfg`, `dropout_ratio`,
                `align_corners`.
        """
        super().__init__(**kwargs)
        blocks = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        self.bottleneck = nn.Sequential(
            ConvModule((len(self.dilations) + 1) * self.channels, self.channels, 1, **blocks),
            ConvModule(self.channels, self.channels, 3, padding=1, **blocks),
        )
