"""Object-contextual representations with atrous spatial pyramid pooling of the same pixels beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.ocr_head import ObjectAttentionBlock, OCRHead
from mmseg.registry import MODELS
from torch import Tensor

from otx_seg.models.aspp import ASPP


class PyramidObjectAttention(ObjectAttentionBlock):
    """mmseg's object attention that also mixes the pixels' own pyramid in."""

    def __init__(self, in_channels: int, channels: int, scale: int, pyramid: ASPP, **layers: Any) -> None:
        """
        Args:
            in_channels: of the pixels and of the result.
            channels: of keys and queries.
            scale: of mmseg's block.
            pyramid: takes `in_channels`.
            layers: `conv_cfg`, `norm_cfg` and `act_cfg` of the convolutions.
        """
        super().__init__(in_channels, channels, scale, **layers)
        self.pyramid = pyramid
        self.bottleneck = ConvModule(2 * in_channels + pyramid.out_channels, in_channels, 1, **layers)

    def forward(self, pixels: Tensor, objects: Tensor) -> Tensor:
        """Pixels (B, C, H, W) and objects (B, C, K, 1) -> (B, C, H, W)."""
        context = super(ObjectAttentionBlock, self).forward(pixels, objects)
        mixed: Tensor = self.bottleneck(torch.cat([context, self.pyramid(pixels), pixels], dim=1))
        return mixed


@MODELS.register_module()
class ASPPOCRHead(OCRHead):
    """mmseg's OCRHead (https://arxiv.org/abs/1909.11065) with `PyramidObjectAttention`."""

    def __init__(self, aspp_channels: int, aspp_dilations: Sequence[int], **kwargs: Any) -> None:
        """
        Args:
            aspp_channels, aspp_dilations: see `ASPP`.
            kwargs: of mmseg's `OCRHead`: `in_channels`, `in_index`, `channels` of the pixels, `ocr_channels` of keys
                and queries, `num_classes`, `norm_cfg`, `dropout_ratio`, `align_corners`.
        """
        super().__init__(**kwargs)
        layers = {"conv_cfg": self.conv_cfg, "norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        pyramid = ASPP(self.channels, aspp_channels, aspp_dilations, self.norm_cfg)
        self.object_context_block = PyramidObjectAttention(
            self.channels, self.ocr_channels, self.scale, pyramid, **layers
        )
