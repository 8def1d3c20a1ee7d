"""The moving average of the weights, which generalises better than the last step's weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class WeightAverage:
    """Exponential moving average of a network's weights and BatchNorm statistics (Tarvainen & Valpola 2017, eq. 3).

    ``average = k * average + (1 - k) * weights`` after each step, where k = min(keep, (1 + t) / (10 + t)) at update
    t: the first averages follow the fast-moving weights closely instead of remembering the initialisation.

    Args:
        network: the network that is trained.
        keep: share of the average kept at each step, 0 to below 1.
    """

    def __init__(self, network: nn.Module, keep: float) -> None:
        self.network = network
        self.keep = keep
        self.averaged = AveragedModel(network, multi_avg_fn=self._blend, use_buffers=True)

    def _blend(self, averaged: Sequence[Tensor], current: Sequence[Tensor], updates: Tensor | int) -> None:
        step = int(updates)
        keep = min(self.keep, (1 + step) / (10 + step))
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(list(averaged), list(current), 1.0 - keep)
        else:
            torch._foreach_copy_(list(averaged), list(current))

    @torch.no_grad()
    def update(self) -> None:
        """Blend in the network's present weights."""
        self.averaged.update_parameters(self.network)

    @property
    def module(self) -> nn.Module:
        """The network with the averaged weights."""
        module: nn.Module = self.averaged.module
        return module
