"""The decoders of SFNet (https://arxiv.org/abs/2002.10120) and SFNet-Lite (https://arxiv.org/abs/2207.04415)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from otx_seg.models.heads.flow_alignment import FlowAlignment, GatedFlowAlignment
from otx_seg.models.heads.pyramid_pooling import PyramidPooling
from otx_seg.models.resampling import resize_bilinear


class _SemanticFlowHead(BaseDecodeHead):
    """What both decoders have: pyramid pooling of the coarsest map, and a convolution that joins several maps."""

    def __init__(self, in_channels: Sequence[int], pool_scales: Sequence[int], joined: int, **kwargs: Any) -> None:
        """
        Args:
            joined: number of maps of `channels` each that are joined before the classifier.
        """
        super().__init__(in_channels, input_transform="multiple_select", **kwargs)
        pyramid = PyramidPooling(
            pool_scales, in_channels[-1], self.channels, self.norm_cfg, self.act_cfg, self.align_corners
        )
        self.pooling = nn.Sequential(pyramid, self._conv(pyramid.out_channels, 1))
        self.most_cells = max(pool_scales)
        self.join = self._conv(joined * self.channels, 3)

    def _conv(self, in_channels: int, kernel: int) -> ConvModule:
        return ConvModule(
            in_channels, self.channels, kernel, padding=kernel // 2, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg
        )

    def _pooled(self, x: Tensor) -> Tensor:
        """The coarsest map (B, C, H, W) with its means over grids -> (B, channels, H, W).

        Raises:
            ValueError: in training, a grid has more cells than the map has positions, so that several cells are the
                same.
        """
        positions, cells = min(x.shape[2:]), self.most_cells
        if self.training and positions < cells:
            raise ValueError(
                f"grids of {cells} cells a side (pool_scales) are laid over {positions} positions: take a larger input"
            )
        return self.pooling(x)

    def _joined(self, maps: Sequence[Tensor]) -> Tensor:
        """Logits of (B, channels, H_i, W_i), at the size of the first."""
        size = maps[0].shape[2:]
        enlarged = [resize_bilinear(x, size, self.align_corners) for x in maps[1:]]
        return self.cls_seg(self.join(torch.cat([maps[0], *enlarged], dim=1)))


@MODELS.register_module()
class SFHead(_SemanticFlowHead):
    """SFNet's: from the pooled coarsest map to the finest, each added to the next finer one after a flow has aligned
    them (`FlowAlignment`); all are joined at the finest resolution."""

    def __init__(
        self,
        in_channels: Sequence[int],
        *,
        flow_channels: int = 64,
        pool_scales: Sequence[int] = (1, 2, 3, 6),
        **kwargs: Any,
    ) -> None:
        """
        Args:
            in_channels: of the backbone's maps, finest first, at least two.
            flow_channels: that a flow is computed from, of each of two maps.
            pool_scales: cells along each side of the grids of the pyramid pooling.
            kwargs: of mmseg's `BaseDecodeHead`: `in_index`, `channels` of the decoder, `num_classes`, `norm_cfg`,
                `act_cfg`, `dropout_ratio`, `align_corners`.
        """
        super().__init__(in_channels, pool_scales, joined=len(in_channels), **kwargs)
        finer = in_channels[:-1]
        self.laterals = nn.ModuleList(self._conv(channels, 1) for channels in finer)
        self.alignments = nn.ModuleList(FlowAlignment(self.channels, flow_channels) for _ in finer)
        self.smooth = nn.ModuleList(self._conv(self.channels, 3) for _ in finer)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """
        Args:
            inputs: the backbone's feature maps, (B, C_i, H_i, W_i), finest first.

        Returns:
            Logits (B, num_classes, H_0, W_0).
        """
        *finer, coarsest = self._transform_inputs(inputs)
        x = self._pooled(coarsest)
        levels = [x]
        for index in reversed(range(len(finer))):
            lateral = self.laterals[index](finer[index])
            x = lateral + self.alignments[index](lateral, x)
            levels.insert(0, self.smooth[index](x))
        return self._joined(levels)


@MODELS.register_module()
class SFLiteHead(_SemanticFlowHead):
    """SFNet-Lite's: one gated alignment of the finest map with the pooled coarsest one (`GatedFlowAlignment`), joined
    with a map between them."""

    def __init__(
        self,
        in_channels: Sequence[int],
        *,
        flow_channels: int = 64,
        pool_scales: Sequence[int] = (1, 2, 3, 6),
        pooled_gate: bool = False,
        **kwargs: Any,
    ) -> None:
        """
        Args:
            in_channels: of three of the backbone's maps, finest first.
            flow_channels, pool_scales: see `SFHead`.
            pooled_gate: see `GatedFlowAlignment`.
            kwargs: see `SFHead`.
        """
        super().__init__(in_channels, pool_scales, joined=2, **kwargs)
        if len(in_channels) != 3:
            raise ValueError(f"in_channels is {list(in_channels)}; there are maps at three resolutions")
        self.lateral_fine, self.lateral_middle = (self._conv(channels, 1) for channels in in_channels[:2])
        self.alignment = GatedFlowAlignment(self.channels, flow_channels, pooled_gate)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """
        Args:
            inputs: the backbone's feature maps, (B, C_i, H_i, W_i), finest first.

        Returns:
            Logits (B, num_classes, H_0, W_0).
        """
        fine, middle, coarsest = self._transform_inputs(inputs)
        aligned = self.alignment(self.lateral_fine(fine), self._pooled(coarsest))
        return self._joined([aligned, self.lateral_middle(middle)])
