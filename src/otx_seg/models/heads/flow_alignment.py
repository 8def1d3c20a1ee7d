"""Feature maps that are aligned with finer ones by a learned flow: parts of the heads of SFNet and SFNet-Lite."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from otx_seg.models.resampling import resize_bilinear


def warp(x: Tensor, flow: Tensor) -> Tensor:
    """Values of a map, bilinear, at the places of another grid moved by a flow (section 3.2 of the paper of SFNet).

    Position (i, j) of H x W spans the map from corner to corner: it lies at (2 j / (W - 1) - 1, 2 i / (H - 1) - 1) of
    -1..1, and moves by flow / (W, H). Outside of the map are zeros.

    Args:
        x: (B, C, h, w), floating point.
        flow: (B, 2, H, W), to the right and down.

    Returns:
        (B, C, H, W).
    """
    height, width = flow.shape[2:]
    right, down = flow[:, 0].float() / width, flow[:, 1].float() / height
    columns = torch.arange(width, device=x.device) * (2 / (width - 1)) - 1
    rows = torch.arange(height, device=x.device) * (2 / (height - 1)) - 1
    grid = torch.stack([columns + right, rows.unsqueeze(1) + down], dim=3)
    # In full precision: with 8 bits of mantissa the places of a map of 256 columns would merge.
    moved = functional.grid_sample(x.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=True)
    return moved.to(x.dtype)


class FlowAlignment(nn.Module):
    """The flow alignment module of SFNet: a coarse map, warped to a finer one.

    Li et al. 2020, "Semantic Flow for Fast and Accurate Scene Parsing" (https://arxiv.org/abs/2002.10120), section 3.2,
    equations 1 to 3.
    """

    def __init__(self, channels: int, inner: int) -> None:
        """
        Args:
            channels: of both maps.
            inner: channels that the flow is computed from, of each.
        """
        super().__init__()
        self.reduce_fine = nn.Conv2d(channels, inner, 1, bias=False)
        self.reduce_coarse = nn.Conv2d(channels, inner, 1, bias=False)
        self.flow = nn.Conv2d(2 * inner, 2, 3, padding=1, bias=False)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """(B, channels, H, W) and (B, channels, h, w) -> the coarse one at the size of the fine one."""
        enlarged = resize_bilinear(self.reduce_coarse(coarse), fine.shape[2:], align_corners=True)
        return warp(coarse, self.flow(torch.cat([enlarged, self.reduce_fine(fine)], dim=1)))


class GatedFlowAlignment(nn.Module):
    """The gated dual flow alignment module of SFNet-Lite: both maps are warped, and a gate mixes them.

    Li et al. 2022, "SFNet: Faster and Accurate Semantic Segmentation via Semantic Flow"
    (https://arxiv.org/abs/2207.04415), section 3.4.
    """

    def __init__(self, channels: int, inner: int, pooled_gate: bool) -> None:
        """
        Args:
            channels: of both maps.
            inner: channels that flows and gate are computed from, of each.
            pooled_gate: compute the gate from mean and maximum over the channels of each map instead of all of them.
        """
        super().__init__()
        self.pooled_gate = pooled_gate
        self.reduce_fine = nn.Conv2d(channels, inner, 1, bias=False)
        self.reduce_coarse = nn.Conv2d(channels, inner, 1, bias=False)
        self.flows = nn.Conv2d(2 * inner, 4, 3, padding=1, bias=False)
        self.gate = nn.Conv2d(4 if pooled_gate else 2 * inner, 1, 3, padding=1, bias=False)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """(B, channels, H, W) and (B, channels, h, w) -> their mixture, (B, channels, H, W)."""
        enlarged = resize_bilinear(self.reduce_coarse(coarse), fine.shape[2:], align_corners=True)
        reduced = self.reduce_fine(fine)
        both = torch.cat([enlarged, reduced], dim=1)
        of_coarse, of_fine = self.flows(both).split(2, dim=1)
        seen = both
        if self.pooled_gate:
            seen = torch.cat([pooled for x in (enlarged, reduced) for pooled in _over_channels(x)], dim=1)
        gate = self.gate(seen).sigmoid()
        return gate * warp(fine, of_fine) + (1 - gate) * warp(coarse, of_coarse)


def _over_channels(x: Tensor) -> tuple[Tensor, Tensor]:
    """(B, C, H, W) -> mean and maximum over C, (B, 1, H, W) each."""
    return x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)
