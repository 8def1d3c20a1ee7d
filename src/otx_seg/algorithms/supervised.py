"""Supervised training: labelled images, pixel losses."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from otx_seg.algorithms.pixel_losses import OutputLosses
from otx_seg.algorithms.progress import TrainProgress
from otx_seg.models.network import SegmentationNetwork


class Supervised(nn.Module):
    """Minimises a weighted sum of pixel losses.

    1. The network gives the logits of all its outputs at the size of its input.
    2. The losses compare them with the annotated mask; pixels of value 255 are left out.

    Args:
        network: the network to train.
        losses: compare its outputs with a mask (B, H, W).
    """

    views: tuple[str, ...] = ("labelled",)
    idle_parameters = False

    def __init__(self, network: SegmentationNetwork, losses: OutputLosses) -> None:
        super().__init__()
        self.network = network
        self.losses = losses

    def training_step(self, batch: dict[str, dict[str, Any]], at: TrainProgress) -> dict[str, Tensor]:
        """The losses of one batch.

        Args:
            batch: ``{"labelled": {"image": uint8 (B, 3, H, W) RGB, "mask": uint8 (B, H, W)}}``.
            at: how far the training is; it does not matter here.

        Returns:
            The scalar to minimise under ``"loss"``, and each weighted loss under its class name.
        """
        labelled = batch["labelled"]
        # 1. logits
        output = self.network.outputs(labelled["image"])
        # 2. losses
        losses: dict[str, Tensor] = self.losses(output, labelled["mask"])
        return losses

    # DistributedDataParallel synchronises gradients only for what is called through `forward`.
    forward = training_step

    def after_step(self) -> None:
        """Nothing follows the optimiser's step."""

    def deployable(self) -> SegmentationNetwork:
        """The network that is evaluated, saved and exported."""
        return self.network
