"""DetCon-B: a backbone learns to distinguish regions of images, without any labels.

Hénaff et al., "Efficient visual pretraining with contrastive detection" (2021, https://arxiv.org/abs/2103.10957).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from otx_seg.algorithms.contrast import Pair, draw_regions, majority, pool_regions, region_contrast
from otx_seg.algorithms.progress import TrainProgress
from otx_seg.models.network import SegmentationNetwork
from otx_seg.models.resampling import resize_bilinear
from otx_seg.models.weight_average import WeightAverage


class RegionEmbedding(nn.Module):
    """A backbone and a projector: from images to one vector per region.

    Args:
        network: its backbone is used, and the levels of it that its main head looks at.
        hidden, size: width of the projector's hidden layer, and of its result.
    """

    def __init__(self, network: SegmentationNetwork, hidden: int, size: int) -> None:
        super().__init__()
        self.network = network
        index, channels = network.main_head.in_index, network.main_head.in_channels
        self.levels = tuple(index) if isinstance(index, (list, tuple)) else (index,)
        # Heads that concatenate levels know their sum alone.
        self.projector = _perceptron(channels if isinstance(channels, int) else sum(channels), hidden, size)

    def dense(self, levels: Sequence[Tensor]) -> Tensor:
        """The backbone's levels at the size of the finest: (B, C_i, h_i, w_i) each -> (B, sum of C_i, h, w)."""
        chosen = [levels[index] for index in self.levels]
        size = (chosen[0].shape[-2], chosen[0].shape[-1])
        return torch.cat([resize_bilinear(level, size, align_corners=False) for level in chosen], dim=1)

    def project(self, dense: Tensor, grid: Tensor, regions: Tensor) -> Tensor:
        """(B, C, h, w), grid (B, h, w) and regions (B, N) -> vectors (B, N, D)."""
        pooled = pool_regions(dense, grid, regions)
        vectors: Tensor = self.projector(pooled.flatten(0, 1))
        return vectors.view(*regions.shape, -1)


class DetCon(nn.Module):
    """Trains a backbone to map the same region of two views of an image to similar vectors, and others to different
    ones.

    1. Both views go through the online backbone.
    2. Regions are drawn in each view; the features of each are averaged, projected and handed to the predictor.
    3. The target network, whose weights are a moving average of the online network's, projects the same regions.
    4. Predictions are compared with the projections of the other view, see `region_contrast`.
    5. After the optimiser's step the target follows: target = decay * target + (1 - decay) * online.

    Args:
        network: the network whose backbone is trained; its heads are not used.
        hidden, size: width of the hidden layers of projector and predictor, and of the compared vectors.
        regions: drawn per view, N.
        temperature: of the comparison, above 0.
        target_keep: the decay, 0..1.
    """

    views: tuple[str, ...] = ("first crop", "second crop")
    idle_parameters = False

    def __init__(
        self,
        network: SegmentationNetwork,
        hidden: int,
        size: int,
        regions: int,
        temperature: float,
        target_keep: float,
    ) -> None:
        super().__init__()
        self.online = RegionEmbedding(network, hidden, size)
        self.predictor = _perceptron(size, hidden, size)
        self.average = WeightAverage(self.online, target_keep, ramp="none")
        self.target = self.average.averaged.requires_grad_(False)  # a part, so that checkpoints hold it
        self.regions, self.temperature = regions, temperature

    def training_step(self, batch: dict[str, dict[str, Any]], at: TrainProgress) -> dict[str, Tensor]:
        """The loss of one batch.

        Args:
            batch: ``{"first crop": {"image": uint8 (B, 3, H, W) RGB, "mask": uint8 (B, H, W)},
                "second crop": the same}``; the masks hold the same ids for the same regions of an image, and 255 where
                there is no region.
            at: how far the training is; it does not matter here.
        """
        first, second = batch["first crop"], batch["second crop"]
        # 1. online backbone
        levels = self.online.network.features(first["image"]), self.online.network.features(second["image"])
        # 2. to 4.
        loss = self.contrast(levels, (first["image"], second["image"]), (first["mask"], second["mask"]))
        return {"loss": loss, "contrast": loss.detach()}

    # DistributedDataParallel synchronises gradients only for what is called through `forward`.
    forward = training_step

    def contrast(self, levels: tuple[Sequence[Tensor], Sequence[Tensor]], images: Pair, ids: Pair) -> Tensor:
        """Steps 2 to 4.

        Args:
            levels: of the online backbone for each view.
            images: uint8 (B, 3, H, W), each view.
            ids: integer (B, H, W), each view.
        """
        # 2. regions of the online network
        dense = [self.online.dense(view) for view in levels]
        size = (dense[0].shape[-2], dense[0].shape[-1])
        grids = [majority(view, size) for view in ids]
        drawn = [draw_regions(grid, self.regions) for grid in grids]
        predictions = [
            self.predictor(self.online.project(*view).flatten(0, 1)).view(*view[2].shape, -1)
            for view in zip(dense, grids, drawn, strict=True)
        ]
        # 3. the same regions of the target network
        target: Any = self.target.module
        with torch.no_grad():
            seen = [target.dense(target.network.features(view)) for view in images]
            targets = [target.project(*view) for view in zip(seen, grids, drawn, strict=True)]
        # 4. comparison
        first, second = zip(predictions, targets, drawn, strict=True)
        predicted, projected, regions = zip(first, second, strict=True)
        return region_contrast(predicted, projected, regions, self.temperature)

    def after_step(self) -> None:
        """Update the target network."""
        # 5. moving average
        self.average.update()

    def deployable(self) -> SegmentationNetwork:
        """The network with the trained backbone."""
        return self.online.network


def _perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True), nn.Linear(hidden, outputs)
    )
