"""Supervised training: labelled images, pixel losses."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from otx_seg.algorithms.distillation import Distillation
from otx_seg.algorithms.pixel_losses import OutputLosses
from otx_seg.algorithms.progress import TrainProgress
from otx_seg.models.network import SegmentationNetwork


class Supervised(nn.Module):
    """Minimises a weighted sum of pixel losses.

    1. The network gives the logits of all its outputs at the size of its input.
    2. The losses compare them with the annotated mask; pixels of value 255 are left out.
    3. With a teacher, its answers are learned too.

    Args:
        network: the network to train.
        losses: compare its outputs with a mask (B, H, W).
        distillation: compares its main output with a teacher, or None.
    """

    views: tuple[str, ...] = ("labelled",)
    idle_parameters = False

    def __init__(
        self, network: SegmentationNetwork, losses: OutputLosses, distillation: Distillation | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.losses = losses
        self.distillation = distillation

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
        # 3. teacher
        if self.distillation is not None:
            losses = self.distillation.added(losses, output.logits, labelled["image"], labelled["mask"])
        return losses

    # DistributedDataParallel synchronises gradients only for what is called through `forward`.
    forward = training_step

    def after_step(self) -> None:
        """Nothing follows the optimiser's step."""

    def deployable(self) -> SegmentationNetwork:
        """The network that is evaluated, saved and exported."""
        return self.network
