"""The encoder of PP-LiteSeg (https://arxiv.org/abs/2204.02681): STDCNet, and a projection of each of its levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmseg.models.backbones.stdc import STDCNet
from mmseg.registry import MODELS
from torch import Tensor, nn

_CHANNELS = (32, 64, 256, 512, 1024)  # of STDCNet's five stages, at strides 2 to 32


@MODELS.register_module()
class PPLiteSegEncoder(BaseModule):
    """STDCNet whose levels at strides 8, 16 and 32 are projected to fewer channels by 3x3 convolutions.

    The projections are here, not in the decode head, because the auxiliary heads learn from them as well.
    """

    def __init__(
        self,
        stdc_type: Literal["STDCNet1", "STDCNet2"],
        projected_channels: Sequence[int],
        norm_cfg: dict[str, Any],
        init_cfg: Any = None,
    ) -> None:
        """
        Args:
            stdc_type: how deep.
            projected_channels: of the three projections, finest first.
            norm_cfg: of the normalisation layers.
            init_cfg: of mmengine's `BaseModule`.

        Raises:
            ValueError: there are not three projections.
        """
        levels = _CHANNELS[2:]
        if len(projected_channels) != len(levels):
            raise ValueError(
                f"projected_channels is {projected_channels!r}; three are wanted, for the strides 8, 16 and 32"
            )
        super().__init__(init_cfg)
        self.stdc = STDCNet(stdc_type, 3, _CHANNELS, "cat", norm_cfg, {"type": "ReLU"})
        self.projections = nn.ModuleList(
            ConvModule(level, projected, 3, padding=1, norm_cfg=norm_cfg)
            for level, projected in zip(levels, projected_channels, strict=True)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """
        Args:
            images: (B, 3, H, W), normalised.

        Returns:
            The three projections, finest first, and the level at stride 32 as it is, for the context module:
            (B, C, H / s, W / s), rounded up, with s of 8, 16, 32 and 32.
        """
        levels = self.stdc(images)
        return [*(project(level) for project, level in zip(self.projections, levels, strict=True)), levels[-1]]
