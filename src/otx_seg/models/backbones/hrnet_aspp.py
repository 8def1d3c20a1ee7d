"""HRNet whose branches are joined and looked at with atrous spatial pyramid pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.models.backbones.hrnet import HRNet
from mmseg.registry import MODELS
from torch import Tensor

from otx_seg.models.aspp import ASPP
from otx_seg.models.resampling import resize_bilinear


@MODELS.register_module()
class HRNetASPP(HRNet):
    """mmseg's HRNet (HRNetV2, https://arxiv.org/abs/1904.04514) with one feature map at stride 4.

    The branches are enlarged to the finest and concatenated (HRNetV2, figure 3b); `ASPP` follows. Its keys are those of
    HRNet, and `aspp.*`.
    """

    def __init__(self, aspp_channels: int, aspp_dilations: Sequence[int], align_corners: bool, **kwargs: Any) -> None:
        """
        Args:
            aspp_channels, aspp_dilations: see `ASPP`.
            align_corners: of the enlargement of the branches.
            kwargs: of mmseg's `HRNet`: `extra` with the four stages, `norm_cfg`.
        """
        super().__init__(**kwargs)
        self.align_corners = align_corners
        widths = self.stage4_cfg["num_channels"]
        expansion = self.blocks_dict[self.stage4_cfg["block"]].expansion
        self.aspp = ASPP(expansion * sum(widths), aspp_channels, aspp_dilations, self.norm_cfg)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """
        Args:
            images: (B, 3, H, W), normalised.

        Returns:
            One feature map, (B, C, H / 4, W / 4), rounded up; C is `aspp_channels` times the dilations and two.
        """
        finest, *coarser = super().forward(images)
        size = finest.shape[2:]
        joined = torch.cat([finest, *(resize_bilinear(branch, size, self.align_corners) for branch in coarser)], dim=1)
        return (self.aspp(joined),)
