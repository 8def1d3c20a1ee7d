"""The decoder of PP-LiteSeg (https://arxiv.org/abs/2204.02681): pooled context, and fusion by attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from otx_seg.models.resampling import pool_to, resize_bilinear


class SimplePyramidPooling(nn.Module):
    """SPPM (section 3.3): means over grids of a few cells, each through a 1x1 convolution, enlarged and added; a 3x3
    convolution of the sum."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bins: Sequence[int],
        norm_cfg: dict[str, Any] | None,
        align_corners: bool,
    ) -> None:
        """
        Args:
            out_channels: of every convolution.
            bins: cells along each side of the grids.
            norm_cfg: of the normalisation layers; None: there are none.
            align_corners: of the enlargement.
        """
        super().__init__()
        self.bins, self.align_corners = tuple(bins), align_corners
        self.branches = nn.ModuleList(ConvModule(in_channels, out_channels, 1, norm_cfg=norm_cfg) for _ in bins)
        self.smooth = ConvModule(out_channels, out_channels, 3, padding=1, norm_cfg=norm_cfg)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W)."""
        context = [
            resize_bilinear(_of_cells(branch, pool_to(x, (cells, cells))), x.shape[2:], self.align_corners)
            for branch, cells in zip(self.branches, self.bins, strict=True)
        ]
        smoothed: Tensor = self.smooth(torch.stack(context).sum(dim=0))
        return smoothed


def _of_cells(branch: Any, cells: Tensor) -> Tensor:
    """A branch's output. One value per channel, of a single image in training, has no variance that a batch norm could
    divide by: then its running statistics serve."""
    alone = branch.training and cells.shape[0] * cells.shape[2] * cells.shape[3] == 1
    if not alone or not branch.with_norm:
        convolved: Tensor = branch(cells)
        return convolved
    branch.norm.eval()
    convolved = branch(cells)
    branch.norm.train()
    return convolved


class SpatialAttentionFusion(nn.Module):
    """UAFM with spatial attention (section 3.2): a gate for each position mixes coarse and fine features."""

    def __init__(
        self,
        in_channels: int,
        skip_channels: int,
        out_channels: int,
        norm_cfg: dict[str, Any] | None,
        align_corners: bool,
    ) -> None:
        """
        Args:
            in_channels: of the coarse features.
            skip_channels: of the fine ones, which a 3x3 convolution gives `in_channels` where they differ.
            norm_cfg: of the normalisation layers; None: there are none.
            align_corners: of the enlargement.
        """
        super().__init__()
        self.align_corners = align_corners
        self.project = (
            nn.Identity()
            if skip_channels == in_channels
            else ConvModule(skip_channels, in_channels, 3, padding=1, norm_cfg=norm_cfg)
        )
        self.attention = nn.Sequential(
            ConvModule(4, 2, 3, padding=1, norm_cfg=norm_cfg),
            ConvModule(2, 1, 3, padding=1, norm_cfg=norm_cfg, act_cfg={"type": "Sigmoid"}),
        )
        self.smooth = ConvModule(in_channels, out_channels, 3, padding=1, norm_cfg=norm_cfg)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        """(B, in_channels, h, w) and (B, skip_channels, H, W) -> (B, out_channels, H, W)."""
        skip = self.project(skip)
        coarse = resize_bilinear(coarse, skip.shape[2:], self.align_corners)
        seen = [of(x) for x in (coarse, skip) for of in (_mean, _largest)]
        gate = self.attention(torch.cat(seen, dim=1))
        smoothed: Tensor = self.smooth(coarse * gate + skip * (1 - gate))
        return smoothed


def _mean(x: Tensor) -> Tensor:
    return x.mean(dim=1, keepdim=True)


def _largest(x: Tensor) -> Tensor:
    return x.amax(dim=1, keepdim=True)


@MODELS.register_module()
class PPLiteSegHead(BaseDecodeHead):
    """Context of the coarsest features, fused with finer ones step by step; a 3x3 convolution; then classify.

    The decoder is the lighter the finer its features are (FLD, section 3.1).
    """

    def __init__(
        self,
        context_channels: int,
        decoder_channels: Sequence[int],
        pool_bins: Sequence[int] = (1, 2, 4),
        **kwargs: Any,
    ) -> None:
        """
        Args:
            context_channels: of the pooled context.
            decoder_channels: of each fusion, coarsest first.
            pool_bins: cells along each side of the grids of the pooled context.
            kwargs: of mmseg's `BaseDecodeHead`: `in_channels` and `in_index`, one for each fusion, finest first; one
                more at the end is what the context is taken from, else it is the coarsest one. `channels` of the 3x3
                convolution before the classifier, `num_classes`, `norm_cfg`, `dropout_ratio`, `align_corners`.

        Raises:
            ValueError: there are more or fewer features than fusions can use, or no bins.
        """
        super().__init__(input_transform="multiple_select", **kwargs)
        fusions = len(decoder_channels)
        if len(self.in_channels) not in (fusions, fusions + 1) or not fusions:
            raise ValueError(
                f"in_channels is {self.in_channels!r}; {fusions} decoder_channels need {fusions} of them, or one more "
                "for the context"
            )
        if not pool_bins:
            raise ValueError("pool_bins is empty; the context needs at least one grid")
        self.context = SimplePyramidPooling(
            self.in_channels[-1], context_channels, pool_bins, self.norm_cfg, self.align_corners
        )
        widths = (context_channels, *decoder_channels)
        self.fusions = nn.ModuleList(
            SpatialAttentionFusion(before, skip, after, self.norm_cfg, self.align_corners)
            for before, skip, after in zip(widths[:-1], self.in_channels[:fusions][::-1], widths[1:], strict=True)
        )
        self.last = ConvModule(widths[-1], self.channels, 3, padding=1, norm_cfg=self.norm_cfg)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """
        Args:
            inputs: the backbone's feature maps, (B, C_i, H_i, W_i).

        Returns:
            Logits (B, num_classes, H_0, W_0), at the resolution of the finest map chosen.
        """
        levels = self._transform_inputs(inputs)
        x = self.context(levels[-1])
        for fuse, skip in zip(self.fusions, levels[: len(self.fusions)][::-1], strict=True):
            x = fuse(x, skip)
        return self.cls_seg(self.last(x))
