"""MobileNetV3-large (https://arxiv.org/abs/1905.02244) at a sixteenth of the resolution, as section 6.4 uses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmseg.models.backbones.mobilenet_v3 import MobileNetV3
from mmseg.registry import MODELS
from torch import nn

_BLOCKS = range(1, 16)
_STRIDE_2 = (2, 4, 7)  # the blocks that halve the resolution
_DILATED = (13, 14, 15)  # those of 160 channels, the first of which would halve it too


@MODELS.register_module()
class MobileNetV3OS16(MobileNetV3):
    """mmseg's `MobileNetV3`, large, with dilation in the last stage alone.

    mmseg's works at an eighth of the resolution from its 80 channels on, with four times the work. Where it halves the
    resolution, it pads by the size of the image; here the border is of as many zeros on each side, as in torchvision's
    published weights.
    """

    def __init__(self, norm_cfg: dict[str, Any], out_indices: Sequence[int] = (4, 16)) -> None:
        """
        Args:
            norm_cfg: of the normalisation layers.
            out_indices: which layers' features are given: 0 is the first convolution, 1 to 15 the blocks, 16 the last
                convolution, of 960 channels. Those that the paper's head takes are at strides 8 and 16.

        Raises:
            ValueError: a layer that it has not.
        """
        super().__init__("large", norm_cfg=norm_cfg, out_indices=tuple(out_indices))
        self.layer0.conv = nn.Conv2d(3, self.layer0.conv.out_channels, 3, stride=2, padding=1, bias=False)
        for index in _BLOCKS:
            part = getattr(self, f"layer{index}").depthwise_conv
            channels, kernel = part.conv.out_channels, part.conv.kernel_size[0]
            stride, dilation = 2 if index in _STRIDE_2 else 1, 2 if index in _DILATED else 1
            border = dilation * (kernel // 2)
            part.conv = nn.Conv2d(channels, channels, kernel, stride, border, dilation, groups=channels, bias=False)
