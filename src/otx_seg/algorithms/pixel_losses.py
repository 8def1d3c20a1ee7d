"""A weighted sum of pixel losses."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class PixelLosses(nn.Module):
    """Adds up losses, each times its weight.

    Args:
        losses: ``(weight, loss)`` pairs; a loss takes logits (B, K, H, W) and a mask (B, H, W).
    """

    def __init__(self, losses: Sequence[tuple[float, nn.Module]]) -> None:
        super().__init__()
        self.weights = [weight for weight, _ in losses]
        self.losses = nn.ModuleList(loss for _, loss in losses)

    def forward(self, logits: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Compare scores with the truth.

        Args:
            logits: (B, K, H, W).
            mask: integer (B, H, W), 255 where a pixel does not count.

        Returns:
            The sum under ``"loss"``, and each weighted loss, without gradient, under its class name.
        """
        parts = [weight * loss(logits, mask) for weight, loss in zip(self.weights, self.losses, strict=True)]
        named = {type(loss).__name__: part.detach() for loss, part in zip(self.losses, parts, strict=True)}
        return {"loss": torch.stack(parts).sum(), **named}
