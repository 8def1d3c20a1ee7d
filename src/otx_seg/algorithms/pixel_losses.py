"""Weighted sums of pixel losses, of one output of a network and of several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

from otx_seg.models.network import SegmentationOutput, log_odds
from otx_seg.template.heads import MAIN

Target: TypeAlias = Callable[[Tensor], Tensor]
"""A mask, integer (B, H, W), 255 where a pixel does not count, -> what an output is compared with instead, alike."""


class WeightedLoss(nn.Module):
    """A loss times its weight.

    Args:
        weight: above 0.
        loss: takes logits (B, K, H, W) and a mask (B, H, W).
        target: what the loss sees instead of the mask; None: the mask itself.
        by_log_odds: whether the loss sees, instead of the logits of two labels, the one channel whose sigmoid is the
            probability of label 1.
    """

    def __init__(self, weight: float, loss: nn.Module, target: Target | None = None, by_log_odds: bool = False) -> None:
        super().__init__()
        self.weight, self.loss, self.target, self.by_log_odds = weight, loss, target, by_log_odds

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """The weighted loss, a scalar."""
        scores = log_odds(logits) if self.by_log_odds else logits
        loss: Tensor = self.weight * self.loss(scores, mask if self.target is None else self.target(mask))
        return loss


class PixelLosses(nn.Module):
    """Adds up the losses of one output."""

    def __init__(self, losses: Sequence[WeightedLoss]) -> None:
        super().__init__()
        self.losses = nn.ModuleList(losses)

    def forward(self, logits: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Compare scores with the truth.

        Args:
            logits: (B, K, H, W).
            mask: integer (B, H, W), 255 where a pixel does not count.

        Returns:
            The sum under ``"loss"``, and each weighted loss, without gradient, under its class name.
        """
        parts = [loss(logits, mask) for loss in self.losses]
        names = (type(weighted.loss).__name__ for weighted in self.losses)
        return {"loss": torch.stack(parts).sum(), **dict(zip(names, (part.detach() for part in parts), strict=True))}


class OutputLosses(nn.Module):
    """Adds up the losses of the outputs of a network; all are compared with the same mask.

    Args:
        losses: by the name of the output they look at; `main` is among them.
    """

    def __init__(self, losses: Mapping[str, PixelLosses]) -> None:
        super().__init__()
        self.by_output = nn.ModuleDict(losses)

    def forward(self, output: SegmentationOutput, mask: Tensor) -> dict[str, Tensor]:
        """Compare scores with the truth.

        Args:
            output: of outputs that have losses here.
            mask: integer (B, H, W), 255 where a pixel does not count.

        Returns:
            The sum under ``"loss"``, and each weighted loss, without gradient, under its class name, behind the name
            of its output unless that is `main`.
        """
        total, named = torch.zeros((), device=mask.device), {}
        for name, logits in output.by_name().items():
            parts = self.by_output[name](logits, mask)
            loss = parts.pop("loss")
            total = loss if name == MAIN else total + loss
            named.update({part if name == MAIN else f"{name} {part}": value for part, value in parts.items()})
        return {"loss": total, **named}
