"""Merges branches of several resolutions, from the coarsest to the finest (the head of arXiv 2104.06403)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from torch import Tensor, nn

from otx_seg.models.resampling import resize_bilinear

_NORM = {"type": "BN"}


def spatial_norm(x: Tensor) -> Tensor:
    """Scale each channel of each image to Euclidean length 1 over its pixels, (B, C, H, W) -> same shape."""
    return x / torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True).clamp_min(1e-12)


class IterativeAggregator(nn.Module):
    """Walks from the coarsest branch to the finest.

    1. A branch narrower than `min_channels` is widened by a 1x1 convolution.
    2. The previous result is upsampled bilinearly to the branch and added, both spatially normed if asked for.
    3. A depthwise-separable 3x3 convolution brings the sum to the width of the next finer branch; the finest keeps
       its own.
    """

    def __init__(self, in_channels: Sequence[int], min_channels: int, norm_before_merge: bool) -> None:
        """
        Args:
            in_channels: channels of the branches, finest first.
            min_channels: every branch is at least this wide inside; 0 leaves all as they are.
            norm_before_merge: whether both terms of each sum pass `spatial_norm`.
        """
        super().__init__()
        self.norm_before_merge = norm_before_merge
        coarse_to_fine = list(reversed(in_channels))
        widths = [max(channels, min_channels) for channels in coarse_to_fine]
        self.expanders = nn.ModuleList(
            nn.Identity() if channels == width else ConvModule(channels, width, 1, norm_cfg=_NORM)
            for channels, width in zip(coarse_to_fine, widths, strict=True)
        )
        self.projects = nn.ModuleList(
            DepthwiseSeparableConvModule(width, finer, 3, padding=1, norm_cfg=_NORM)
            for width, finer in zip(widths, [*widths[1:], widths[-1]], strict=True)
        )

    def merge(self, branch: Tensor, coarser: Tensor) -> Tensor:
        """(B, C, H, W) and (B, C, h, w) -> (B, C, H, W)."""
        coarser = resize_bilinear(coarser, branch.shape[-2:], align_corners=True)
        return spatial_norm(branch) + spatial_norm(coarser) if self.norm_before_merge else branch + coarser

    def forward(self, branches: Sequence[Tensor]) -> Tensor:
        """
        Args:
            branches: one (B, C_i, H_i, W_i) for each of `in_channels`, finest first.

        Returns:
            (B, max(C_0, min_channels), H_0, W_0).
        """
        merged: Tensor | None = None
        for branch, expand, project in zip(reversed(branches), self.expanders, self.projects, strict=True):
            widened = expand(branch)
            merged = project(widened if merged is None else self.merge(widened, merged))
        assert merged is not None
        return merged
