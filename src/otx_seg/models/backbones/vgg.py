"""VGG (https://arxiv.org/abs/1409.1556) without its linear layers. Its keys are those of torchvision's checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

_CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # table 1
_CHANNELS = (64, 128, 256, 512, 512)
_INIT = (
    {"type": "Kaiming", "layer": "Conv2d"},
    {"type": "Constant", "val": 1, "layer": ["_BatchNorm", "GroupNorm"]},
)


@MODELS.register_module()
class VGG(BaseModule):
    """Features behind each max pooling, at strides 2, 4, 8, 16 and 32, with 64, 128, 256, 512 and 512 channels."""

    def __init__(
        self,
        depth: int,
        out_indices: Sequence[int] = (0, 1, 2, 3, 4),
        norm_cfg: dict[str, Any] | None = None,
        init_cfg: Any = _INIT,
    ) -> None:
        """
        Args:
            depth: 11, 13, 16 or 19 layers, the linear ones counted.
            out_indices: which of the five levels are given, 0 at stride 2 to 4 at stride 32; what no level needs is not
                built.
            norm_cfg: of a norm behind each convolution; None: none, as in the paper.
            init_cfg: of mmengine's `BaseModule`.

        Raises:
            ValueError: another depth, or a level that it has not.
        """
        super().__init__(list(init_cfg) if isinstance(init_cfg, tuple) else init_cfg)
        if depth not in _CONVOLUTIONS:
            raise ValueError(f"depth is {depth!r}; there are {', '.join(map(str, _CONVOLUTIONS))}")
        if not out_indices or not set(out_indices) <= set(range(5)):
            raise ValueError(f"out_indices is {out_indices!r}; the levels are 0 to 4")
        layers: list[nn.Module] = []
        ends: list[int] = []  # the layer behind which a level is complete
        channels = 3
        for repeats, width in zip(_CONVOLUTIONS[depth][: max(out_indices) + 1], _CHANNELS, strict=False):
            for _ in range(repeats):
                layers.append(nn.Conv2d(channels, width, 3, padding=1))
                layers += [] if norm_cfg is None else [build_norm_layer(norm_cfg, width)[1]]
                layers.append(nn.ReLU())
                channels = width
            layers.append(nn.MaxPool2d(2))
            ends.append(len(layers))
        self.features = nn.Sequential(*layers)
        self.ends = [ends[index] for index in sorted(out_indices)]

    def forward(self, images: Tensor) -> list[Tensor]:
        """
        Args:
            images: (B, 3, H, W), normalised; sides of 32 or more.

        Returns:
            Feature maps of the levels asked for, finest first: (B, C, H / s, W / s), rounded down.
        """
        x, levels = images, []
        for count, layer in enumerate(self.features, 1):
            x = layer(x)
            if count in self.ends:
                levels.append(x)
        return levels
