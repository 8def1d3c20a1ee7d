"""Weighted sums of pixel losses, of one output of a network and of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from otx_seg.models.network import SegmentationOutput
from otx_seg.template.heads import MAIN


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
