"""Supervised contrastive training: pixel losses, and a contrastive loss on the labels' regions in two views.

The contrast is that of Hénaff et al. 2021 (`region_contrast`) with the annotated masks for regions, after the idea of
Khosla et al., "Supervised contrastive learning" (2020, https://arxiv.org/abs/2004.11362).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from otx_seg.algorithms.detcon import DetCon
from otx_seg.algorithms.distillation import Distillation
from otx_seg.algorithms.mixing import paste_labels
from otx_seg.algorithms.pixel_losses import OutputLosses
from otx_seg.algorithms.progress import TrainProgress
from otx_seg.labels import IGNORE_INDEX
from otx_seg.models.network import SegmentationNetwork


class SupCon(nn.Module):
    """Trains a network on masks, and its backbone to distinguish the labels' regions.

    1. At every `interval`-th step two views of the same images go through the network, at the others only the first.
       The second one gets regions of the next image's first view, with their labels (see `paste_labels`).
    2. The pixel losses compare the outputs for all views with their masks.
    3. With a teacher, its answers for all views are learned too.
    4. Where there are two views, DetCon's contrast between them is added, with the annotated masks for regions.
    5. After the optimiser's step the target network follows.

    Args:
        network: the network to train.
        losses: compare the network's outputs with a mask (B, H, W).
        detcon: the contrast, around the same network.
        weight: of the contrast, 0 or more; 0 leaves supervised training.
        interval: steps from one contrast to the next, 1 or more.
        label_mix: chance that a second view gets regions of another image, 0..1.
        distillation: compares the main output with a teacher, or None.
    """

    views: tuple[str, ...] = ("labelled", "second")
    idle_parameters = True

    def __init__(
        self,
        network: SegmentationNetwork,
        losses: OutputLosses,
        detcon: DetCon,
        weight: float,
        interval: int,
        label_mix: float,
        distillation: Distillation | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.losses = losses
        self.detcon = detcon
        self.weight, self.interval, self.label_mix = weight, interval, label_mix
        self.distillation = distillation

    def training_step(self, batch: dict[str, dict[str, Any]], at: TrainProgress) -> dict[str, Tensor]:
        """The losses of one batch.

        Args:
            batch: ``{"labelled": {"image": uint8 (B, 3, H, W) RGB, "mask": uint8 (B, H, W)}, "second": the same}``, two
                views of the same images in the same order.
            at: how far the training is; its step decides on the contrast.
        """
        first, second = batch["labelled"], batch["second"]
        # 1. one view or two
        if self.weight == 0 or at.step % self.interval:
            return self._learned(first["image"], first["mask"])[0]
        mixed, true = paste_labels(
            second["image"], first["image"].roll(1, dims=0), first["mask"].roll(1, dims=0), self.label_mix
        )
        true = torch.where(true != IGNORE_INDEX, true, second["mask"].long())
        images, masks = torch.cat((first["image"], mixed)), torch.cat((first["mask"].long(), true))
        losses, features = self._learned(images, masks)
        # 4. contrast
        halves = [level.chunk(2) for level in features]
        apart = [half[0] for half in halves], [half[1] for half in halves]
        contrast = self.weight * self.detcon.contrast(apart, (first["image"], mixed), (first["mask"], true))
        return {**losses, "loss": losses["loss"] + contrast, "contrast": contrast.detach()}

    # DistributedDataParallel synchronises gradients only for what is called through `forward`.
    forward = training_step

    def _learned(self, images: Tensor, masks: Tensor) -> tuple[dict[str, Tensor], Sequence[Tensor]]:
        """The losses of images (B, 3, H, W) with masks (B, H, W), and the features of the images."""
        output = self.network.outputs(images)
        # 2. pixel losses
        losses: dict[str, Tensor] = self.losses(output, masks)
        # 3. teacher
        if self.distillation is not None:
            losses = self.distillation.added(losses, output.logits, images, masks)
        return losses, output.features

    def after_step(self) -> None:
        """Update the target network."""
        # 5. moving average
        self.detcon.after_step()

    def deployable(self) -> SegmentationNetwork:
        """The network that is evaluated, saved and exported."""
        return self.network
