"""The decode head of hierarchical multi-scale attention (https://arxiv.org/abs/2005.10821): OCR that trusts itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.ocr_head import OCRHead
from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class ScaleAttentionOCRHead(OCRHead):
    """mmseg's OCRHead (https://arxiv.org/abs/1909.11065) that also says where to trust its logits.

    The attention is made from the same features as the logits: two 3x3 convolutions with batch norm and ReLU, one 1x1
    convolution, a sigmoid (section 3.1 of the paper).
    """

    def __init__(self, attention_channels: int, **kwargs: Any) -> None:
        """
        Args:
            attention_channels: of the 3x3 convolutions.
            kwargs: of mmseg's `OCRHead`: `in_channels`, `in_index`, `input_transform`, `channels` of the pixels,
                `ocr_channels` of keys and queries, `num_classes`, `norm_cfg`, `dropout_ratio`, `align_corners`.
        """
        super().__init__(**kwargs)
        layers = {"padding": 1, "norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        self.scale_attention = nn.Sequential(
            ConvModule(self.channels, attention_channels, 3, **layers),
            ConvModule(attention_channels, attention_channels, 3, **layers),
            nn.Conv2d(attention_channels, 1, 1, bias=False),
            nn.Sigmoid(),
        )

    def with_attention(self, inputs: Sequence[Tensor], first: Tensor) -> tuple[Tensor, Tensor]:
        """
        Args:
            inputs: the backbone's feature maps, (B, C_i, H_i, W_i), finest first.
            first: logits of the stage before, (B, num_classes, H_0, W_0).

        Returns:
            Logits (B, num_classes, H_0, W_0), as `forward` gives them, and how far to trust them, (B, 1, H_0, W_0), 0
            to 1.
        """
        pixels = self.bottleneck(self._transform_inputs(inputs))
        context = self.object_context_block(pixels, self.spatial_gather_module(pixels, first))
        return self.cls_seg(context), self.scale_attention(context)
