"""DDRNet (https://arxiv.org/abs/2101.06085), a branch at an eighth of the resolution beside one that goes on shrinking.

mmseg's DDRNet has the depth of DDRNet-23 alone and gives other features in training than afterwards. The names of the
attributes are mmseg's, hence the keys of the checkpoints published for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch.nn.functional as functional
from mmcv.cnn import ConvModule, build_norm_layer
from mmengine.model import BaseModule
from mmseg.models.utils import DAPPM, BasicBlock, Bottleneck
from mmseg.registry import MODELS
from torch import Tensor, nn

from otx_seg.models.resampling import resize_bilinear


@MODELS.register_module()
class DeepDualResolutionNet(BaseModule):
    """Features of the high-resolution branch, both at stride 8: after stage 3, with 2 `channels` channels, before its
    activation; and after stage 5 together with the context, with 4 `channels` channels, before its activation.

    At the end of each round of stages 3 and 4, each branch gets what the other one has (bilateral fusion, equation 1).
    The context ends at stride 64 in DAPPM (section 3.3), whose pools of 5, 9 and 17 positions and of the whole map are
    padded, so that a map of one position is enough. In the pool of the whole map, and with inputs of up to 64x64 pixels
    in all of the coarsest stage, batch norm sees one value per image: it learns from batches of two and more.
    """

    def __init__(
        self,
        channels: int,
        depths: Sequence[int],
        rounds: int = 1,
        ppm_channels: int = 128,
        norm_cfg: dict[str, Any] | None = None,
        init_cfg: Any = None,
    ) -> None:
        """
        Args:
            channels: of the stem; 32 in DDRNet-23-slim, else 64.
            depths: residual blocks of stages 1 to 4, 1 or more each; those of stages 3 and 4 are for each branch and
                round. Stage 5 is one bottleneck block for each branch.
            rounds: how often stage 3 is run, each with blocks and a fusion of its own, 1 or more; 2 in DDRNet-39. Only
                the first one halves the resolution of the context.
            ppm_channels: of each of DAPPM's five scales.
            norm_cfg: of the normalisation layers; None: batch norm.
            init_cfg: of mmengine's `BaseModule`; None: He's initialisation, normal, by the outputs.

        Raises:
            ValueError: a number is out of its range.
        """
        super().__init__(init_cfg or {"type": "Kaiming", "layer": "Conv2d"})
        if len(depths) != 4 or min(depths) < 1:
            raise ValueError(f"depths is {depths!r}; it has four numbers from 1 on")
        if rounds < 1:
            raise ValueError(f"rounds is {rounds}; there is one at least")
        self.norm_cfg = norm_cfg or {"type": "BN"}
        spatial = 2 * channels
        self.stem = nn.Sequential(
            self._convolution(3, channels, stride=2),
            self._convolution(channels, channels, stride=2),
            self._stage(BasicBlock, channels, channels, depths[0]),
            nn.ReLU(),
            self._stage(BasicBlock, channels, spatial, depths[1], stride=2),
            nn.ReLU(),
        )
        self.rounds = rounds
        stages = [(4 * channels, depths[2])] * rounds + [(8 * channels, depths[3])]
        self.context_branch_layers, self.spatial_branch_layers = nn.ModuleList(), nn.ModuleList()
        width = spatial
        for number, (context, depth) in enumerate(stages, 1):
            stride = 2 if context > width else 1
            self.context_branch_layers.append(self._stage(BasicBlock, width, context, depth, stride))
            self.spatial_branch_layers.append(self._stage(BasicBlock, spatial, spatial, depth))
            self.add_module(f"compression_{number}", self._convolution(context, spatial, kernel=1, activation=False))
            self.add_module(f"down_{number}", self._down(spatial, context))
            width = context
        self.context_branch_layers.append(self._stage(Bottleneck, width, width, 1, stride=2))
        self.spatial_branch_layers.append(self._stage(Bottleneck, spatial, spatial, 1))
        self.spp = DAPPM(2 * width, ppm_channels, 2 * spatial, num_scales=5, norm_cfg=self.norm_cfg)

    def _convolution(
        self, in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1, activation: bool = True
    ) -> ConvModule:
        act = {"type": "ReLU"} if activation else None
        return ConvModule(in_channels, out_channels, kernel, stride, kernel // 2, norm_cfg=self.norm_cfg, act_cfg=act)

    def _down(self, spatial: int, context: int) -> nn.Module:
        """From the high-resolution branch to the context's channels, which double as the resolution halves."""
        widths = [spatial]
        while widths[-1] < context:
            widths.append(2 * widths[-1])
        steps = [
            self._convolution(before, after, stride=2, activation=after < context) for before, after in pairwise(widths)
        ]
        return steps[0] if len(steps) == 1 else nn.Sequential(*steps)

    def _stage(
        self, block: type[BasicBlock | Bottleneck], in_channels: int, channels: int, depth: int, stride: int = 1
    ) -> nn.Sequential:
        """Residual blocks, the first with the stride; no activation after the last sum."""
        out_channels = channels * block.expansion
        shortcut = None
        if stride != 1 or in_channels != out_channels:
            shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
                build_norm_layer(self.norm_cfg, out_channels)[1],
            )
        blocks = []
        for index in range(depth):
            act_out = {"type": "ReLU"} if index < depth - 1 else None
            first = {"stride": stride, "downsample": shortcut} if index == 0 else {}
            entering = in_channels if index == 0 else out_channels
            blocks.append(block(entering, channels, norm_cfg=self.norm_cfg, act_cfg_out=act_out, **first))
        return nn.Sequential(*blocks)

    def forward(self, images: Tensor) -> list[Tensor]:
        """
        Args:
            images: (B, 3, H, W), normalised.

        Returns:
            (B, 2 channels, H / 8, W / 8) after stage 3, and (B, 4 channels, H / 8, W / 8), rounded up.
        """
        context = spatial = self.stem(images)
        size = spatial.shape[2:]
        *fused, (last_context, last_spatial) = zip(self.context_branch_layers, self.spatial_branch_layers, strict=True)
        levels = []
        for number, (context_stage, spatial_stage) in enumerate(fused, 1):
            context, spatial = context_stage(functional.relu(context)), spatial_stage(functional.relu(spatial))
            compressed = getattr(self, f"compression_{number}")(functional.relu(context))
            context = context + getattr(self, f"down_{number}")(functional.relu(spatial))
            spatial = spatial + resize_bilinear(compressed, size, align_corners=False)
            if number == self.rounds:
                levels.append(spatial)
        pooled = self.spp(last_context(functional.relu(context)))
        spatial = last_spatial(functional.relu(spatial))
        return [*levels, spatial + resize_bilinear(pooled, size, align_corners=False)]
