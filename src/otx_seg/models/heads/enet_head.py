"""ENet's decoder (Paszke et al. 2016, https://arxiv.org/abs/1606.02147) as a decode head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as functional
from mmcv.cnn import build_norm_layer
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from otx_seg.models.backbones.enet import Bottleneck, active
from otx_seg.models.resampling import pad_to_even

_REDUCTION = 4  # of the channels within a bottleneck
_REGULAR = (2, 1)  # bottlenecks of sections 4 and 5 after the first: table 1 of the paper


def unpool_to_maxima(x: Tensor, pooled: Tensor) -> Tensor:
    """Each value of `x` at the place where the 2x2 window of `pooled` had its maximum, among zeros.

    The same numbers as `max_unpool2d` with the indices of `max_pool2d`, which neither OpenVINO nor ONNX can express.
    The places are found again by comparison; of equal values, the first in reading order is the maximum.

    Args:
        x: (B, C, H, W).
        pooled: what was pooled, (B, C, 2 H, 2 W); a last row or column may be missing.

    Returns:
        The shape of `pooled`.
    """
    height, width = pooled.shape[2:]
    even = pad_to_even(pooled)
    first, second, third, fourth = (even[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1))
    above, below = torch.maximum(first, second), torch.maximum(third, fourth)
    is_above, is_first, is_third = above >= below, first >= second, third >= fourth
    places = (is_above & is_first, is_above & ~is_first, ~is_above & is_third, ~is_above & ~is_third)
    windows = torch.stack([x * place.to(x.dtype) for place in places], dim=2)
    return functional.pixel_shuffle(windows.flatten(1, 2), 2)[:, :, :height, :width]


class UpsamplingBottleneck(nn.Module):
    """Figure 2b of the paper at twice the resolution: the main convolution is a transposed 2x2 one, and what it is
    added to is the input after a 1x1 convolution, unpooled."""

    def __init__(self, in_channels: int, out_channels: int, dropout: float, norm: dict[str, Any]) -> None:
        """
        Args:
            dropout: share of the channels that are left out of the sum in training.
            norm: mmcv's configuration of a normalisation layer.
        """
        super().__init__()
        inner = in_channels // _REDUCTION
        self.main = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, bias=False), build_norm_layer(norm, out_channels)[1]
        )
        self.extension = nn.Sequential(
            *active(nn.Conv2d(in_channels, inner, 1, bias=False), inner, norm),
            *active(nn.ConvTranspose2d(inner, inner, 2, stride=2, bias=False), inner, norm),
            nn.Conv2d(inner, out_channels, 1, bias=False),
            nn.Dropout2d(dropout),
        )
        self.activation = nn.PReLU()

    def forward(self, x: Tensor, pooled: Tensor) -> Tensor:
        """(B, in_channels, H, W) and what was pooled to this size, (B, out_channels, 2 H, 2 W) -> the shape of the
        latter."""
        height, width = pooled.shape[2:]
        extension = self.extension(x)[:, :, :height, :width]
        out: Tensor = self.activation(unpool_to_maxima(self.main(x), pooled) + extension)
        return out


class TransposedClassifier(nn.Module):
    """A transposed 3x3 convolution with stride 2, whose weight has one row for each label.

    `weight` is (K, C, 3, 3), where torch's own has (C, K, 3, 3), since rows of classifiers are mapped by label.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        nn.init.kaiming_normal_(self.weight, nonlinearity="linear")

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> logits (B, K, 2 H, 2 W)."""
        weight = self.weight.transpose(0, 1)
        return functional.conv_transpose2d(x, weight, self.bias, stride=2, padding=1, output_padding=1)


@MODELS.register_module()
class ENetHead(BaseDecodeHead):
    """Sections 4 and 5 of ENet, and the transposed convolution to the labels, at the resolution of the image.

    The backbone hands on what it pooled instead of the indices of the maxima; `unpool_to_maxima` finds these in it.
    """

    def __init__(self, in_channels: Sequence[int], dropout_ratio: float, **kwargs: Any) -> None:
        """
        Args:
            in_channels: of the backbone's maps, finest first; each map is pooled to half its size on the way to the
                next one.
            dropout_ratio: share of the channels left out in each bottleneck in training, 0..1.
            kwargs: of mmseg's `BaseDecodeHead`: `in_index`, `num_classes`, `norm_cfg`; `channels` are those of the
                finest map.
        """
        if len(in_channels) != len(_REGULAR) + 1:
            raise ValueError(f"in_channels is {list(in_channels)}; there are maps at three resolutions")
        fixed = {"input_transform": "multiple_select", "act_cfg": {"type": "PReLU"}, "dropout_ratio": 0}
        super().__init__(in_channels, in_channels[0], **fixed, **kwargs)
        norm = self.norm_cfg or {"type": "BN"}
        coarser, finer = list(in_channels)[:0:-1], list(in_channels)[-2::-1]
        self.enlarge = nn.ModuleList(
            UpsamplingBottleneck(*pair, dropout_ratio, norm) for pair in zip(coarser, finer, strict=True)
        )
        self.regular = nn.ModuleList(
            nn.Sequential(*(Bottleneck(channels, 1, dropout_ratio, norm) for _ in range(count)))
            for channels, count in zip(finer, _REGULAR, strict=True)
        )
        self.conv_seg = TransposedClassifier(self.channels, self.out_channels)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """
        Args:
            inputs: the backbone's feature maps, (B, C_i, H_i, W_i), finest first.

        Returns:
            Logits (B, num_classes, 2 H_0, 2 W_0), of the image's size.
        """
        *finer, x = self._transform_inputs(inputs)
        for enlarge, regular, pooled in zip(self.enlarge, self.regular, reversed(finer), strict=True):
            x = regular(enlarge(x, pooled))
        logits: Tensor = self.conv_seg(x)
        return logits
