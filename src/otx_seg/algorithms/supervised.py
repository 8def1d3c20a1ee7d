"""Supervised training: labelled images, pixel losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from otx_seg.models.network import SegmentationNetwork


class Supervised(nn.Module):
    """Minimises a weighted sum of pixel losses.

    1. The network gives logits at the size of its input.
    2. Each loss compares them with the annotated mask; pixels of value 255 are left out.
    3. The weighted losses are summed.

    Args:
        network: the network to train.
        losses: ``(weight, loss)`` pairs; a loss takes logits (B, K, H, W) and a mask (B, H, W).
    """

    views: tuple[str, ...] = ("labelled",)

    def __init__(self, network: SegmentationNetwork, losses: Sequence[tuple[float, nn.Module]]) -> None:
        super().__init__()
        self.network = network
        self.weights = [weight for weight, _ in losses]
        self.losses = nn.ModuleList(loss for _, loss in losses)

    def training_step(self, batch: dict[str, dict[str, Any]]) -> dict[str, Tensor]:
        """The losses of one batch.

        Args:
            batch: ``{"labelled": {"image": uint8 (B, 3, H, W) RGB, "mask": uint8 (B, H, W)}}``.

        Returns:
            The scalar to minimise under ``"loss"``, and each weighted loss under its class name.
        """
        labelled = batch["labelled"]
        # 1. logits
        logits = self.network(labelled["image"])  # (B, K, H, W)
        # 2. losses
        parts = [
            weight * loss(logits, labelled["mask"]) for weight, loss in zip(self.weights, self.losses, strict=True)
        ]
        # 3. sum
        named = {type(loss).__name__: part.detach() for loss, part in zip(self.losses, parts, strict=True)}
        return {"loss": torch.stack(parts).sum(), **named}

    # DistributedDataParallel synchronises gradients only for what is called through `forward`.
    forward = training_step

    def after_step(self) -> None:
        """Nothing follows the optimiser's step."""

    def deployable(self) -> SegmentationNetwork:
        """The network that is evaluated, saved and exported."""
        return self.network
