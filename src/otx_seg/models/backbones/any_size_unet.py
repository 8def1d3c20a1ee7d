"""U-Net (https://arxiv.org/abs/1505.04597) with padding and batch norm, for images of any size."""

from __future__ import annotations

from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn


def _two_convolutions(in_channels: int, out_channels: int, norm_cfg: dict[str, Any] | None) -> nn.Sequential:
    """(B, in_channels, H, W) -> (B, out_channels, H, W)."""
    return nn.Sequential(
        ConvModule(in_channels, out_channels, 3, padding=1, norm_cfg=norm_cfg),
        ConvModule(out_channels, out_channels, 3, padding=1, norm_cfg=norm_cfg),
    )


class Up(nn.Module):
    """Coarse features, enlarged by a transposed convolution, beside fine ones; two 3x3 convolutions."""

    def __init__(self, channels: int, norm_cfg: dict[str, Any] | None) -> None:
        """
        Args:
            channels: of the fine features and of the result; the coarse ones have twice as many.
        """
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(2 * channels, channels, 2, 2)
        self.convolve = _two_convolutions(2 * channels, channels, norm_cfg)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """(B, 2 channels, ceil(H / 2), ceil(W / 2)) and (B, channels, H, W) -> (B, channels, H, W)."""
        enlarged = self.enlarge(coarse)[:, :, : fine.shape[2], : fine.shape[3]]
        convolved: Tensor = self.convolve(torch.cat([fine, enlarged], dim=1))
        return convolved


@MODELS.register_module()
class AnySizeUNet(BaseModule):
    """The whole of U-Net but its classifier: features at strides 1, 2, 4, ..., each from all coarser ones.

    mmseg's `UNet` takes only images whose sides can be halved without a rest, and has other layers to enlarge with.
    """

    def __init__(
        self, base_channels: int, num_stages: int, norm_cfg: dict[str, Any] | None = None, init_cfg: Any = None
    ) -> None:
        """
        Args:
            base_channels: at stride 1; twice as many at each further stage.
            num_stages: of the encoder, 2 or more; the coarsest is at stride 2^(num_stages - 1).
            norm_cfg: of the normalisation layers; None: there are none.
            init_cfg: of mmengine's `BaseModule`.

        Raises:
            ValueError: there are fewer than two stages.
        """
        super().__init__(init_cfg)
        if num_stages < 2:
            raise ValueError(f"num_stages is {num_stages}; 2 is the fewest")
        widths = [base_channels * 2**stage for stage in range(num_stages)]
        self.encoder = nn.ModuleList(
            _two_convolutions(before, after, norm_cfg) for before, after in zip([3, *widths[:-1]], widths, strict=True)
        )
        # An odd side is halved upwards, so that what is enlarged later is never too small.
        self.halve = nn.MaxPool2d(2, ceil_mode=True)
        self.decoder = nn.ModuleList(Up(width, norm_cfg) for width in reversed(widths[:-1]))

    def forward(self, images: Tensor) -> list[Tensor]:
        """
        Args:
            images: (B, 3, H, W), normalised.

        Returns:
            Feature maps of the decoder, and the coarsest of the encoder, finest first: (B, C, H / s, W / s), rounded
            up.
        """
        x = self.encoder[0](images)
        fine = []
        for convolve in self.encoder[1:]:
            fine.append(x)
            x = convolve(self.halve(x))
        levels = [x]
        for up in self.decoder:
            levels.append(up(levels[-1], fine.pop()))
        return levels[::-1]
