"""The encoder of SegFormer (https://arxiv.org/abs/2105.15203): mmseg's, with torch's fused attention."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as functional
from mmseg.models.backbones.mit import EfficientMultiheadAttention, MixVisionTransformer
from mmseg.models.utils import nchw_to_nlc, nlc_to_nchw
from mmseg.registry import MODELS
from torch import Tensor


class ReducedAttention(EfficientMultiheadAttention):
    """softmax(Q K^T / sqrt(d)) V with keys and values from a coarser grid (section 3.1).

    mmseg's keeps the products of all pairs of positions, and their mean over the heads, in memory; these sizes are
    constants in its ONNX graphs.
    """

    def forward(self, x: Tensor, hw_shape: tuple[int, int], identity: Tensor | None = None) -> Tensor:
        """
        Args:
            x: (B, H W, C).
            hw_shape: H and W.
            identity: what the result is added to, (B, H W, C); None: x.
        """
        source = x
        if self.sr_ratio > 1:
            source = self.norm(nchw_to_nlc(self.sr(nlc_to_nchw(x, hw_shape))))
        channels = x.shape[2]
        weight, bias = self.attn.in_proj_weight, self.attn.in_proj_bias
        queries = functional.linear(x, weight[:channels], None if bias is None else bias[:channels])
        both = functional.linear(source, weight[channels:], None if bias is None else bias[channels:])
        keys, values = both.chunk(2, dim=2)
        dropout = self.attn.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(
            self._by_head(queries), self._by_head(keys), self._by_head(values), dropout_p=dropout
        )
        of_positions = self.attn.out_proj(mixed.transpose(1, 2).flatten(2))
        added: Tensor = (x if identity is None else identity) + self.dropout_layer(self.proj_drop(of_positions))
        return added

    def _by_head(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, heads, N, C / heads)."""
        return x.unflatten(2, (self.num_heads, -1)).transpose(1, 2)


@MODELS.register_module()
class MixTransformer(MixVisionTransformer):
    """Features at strides 4, 8, 16 and 32, the same as those of mmseg's `MixVisionTransformer`, whose weights have the
    same names, in less time and memory, and for images of any size in an exported graph as well."""

    def __init__(self, **kwargs: Any) -> None:
        """
        Args:
            kwargs: of mmseg's `MixVisionTransformer`.
        """
        super().__init__(**kwargs)
        for module in self.modules():
            if isinstance(module, EfficientMultiheadAttention):
                module.__class__ = ReducedAttention
