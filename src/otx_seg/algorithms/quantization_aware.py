"""Quantisation-aware training: labelled images, pixel losses, a network that rounds."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from otx_seg.algorithms.pixel_losses import PixelLosses
from otx_seg.algorithms.progress import TrainProgress
from otx_seg.models.network import SegmentationNetwork


class QuantizationAware(nn.Module):
    """Minimises a weighted sum of pixel losses of a network whose convolutions are quantised.

    1. After the first epochs the batch norms keep their statistics: a model that is shipped has none that change, and
       those of small batches are noise that rounding adds to.
    2. The network gives logits at the size of its input, with rounded weights and rounded inputs.
    3. The losses compare them with the annotated mask; pixels of value 255 are left out.

    Args:
        network: the network to train, some of its convolutions quantised.
        losses: compare logits (B, K, H, W) with a mask (B, H, W).
        batch_norm_epochs: epochs in which the batch norms' statistics follow the batches.
    """

    views: tuple[str, ...] = ("labelled",)
    idle_parameters = False

    def __init__(self, network: SegmentationNetwork, losses: PixelLosses, batch_norm_epochs: int) -> None:
        super().__init__()
        self.network = network
        self.losses = losses
        self.batch_norm_epochs = batch_norm_epochs

    def training_step(self, batch: dict[str, dict[str, Any]], at: TrainProgress) -> dict[str, Tensor]:
        """The losses of one batch.

        Args:
            batch: ``{"labelled": {"image": uint8 (B, 3, H, W) RGB, "mask": uint8 (B, H, W)}}``.
            at: how far the training is.

        Returns:
            The scalar to minimise under ``"loss"``, and each weighted loss under its class name.
        """
        labelled = batch["labelled"]
        # 1. batch norms
        for module in self.network.modules():
            if isinstance(module, _BatchNorm):
                module.train(at.epoch < self.batch_norm_epochs)
        # 2. logits
        logits = self.network(labelled["image"])  # (B, K, H, W)
        # 3. losses
        losses: dict[str, Tensor] = self.losses(logits, labelled["mask"])
        return losses

    # DistributedDataParallel synchronises gradients only for what is called through `forward`.
    forward = training_step

    def after_step(self) -> None:
        """Nothing follows the optimiser's step."""

    def deployable(self) -> SegmentationNetwork:
        """The network that is evaluated, saved and exported."""
        return self.network
