"""Averages of weights, which generalise better than the last step's: the moving one, and that of several networks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import chain
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

Ramp: TypeAlias = Literal["step", "exponential", "none"]

_STEEPNESS = 15.0  # of the exponential ramp; super-gradients calls it beta


class WeightAverage:
    """Exponential moving average of a network's weights and BatchNorm statistics (Tarvainen & Valpola 2017, eq. 3).

    ``average = k * average + (1 - k) * weights`` after each step, starting with the network's present weights. With a
    ramp the first averages follow the fast-moving weights closely instead of remembering the initialisation:

    - ``step``: k is 0 at the first update and min(decay, (1 + t) / (10 + t)) at the t-th after it.
    - ``exponential``: k = decay * (1 - exp(-15 p)), with p the share of the run that has passed.
    - ``none``: k = decay.

    Args:
        network: the network that is trained.
        decay: decay of the average per step, 0..1.
        ramp: how it begins.
    """

    def __init__(self, network: nn.Module, decay: float, ramp: Ramp) -> None:
        self.network = network
        self.decay, self.ramp = decay, ramp
        self.averaged = AveragedModel(network, use_buffers=True)
        self._pairs: dict[bool, tuple[list[Tensor], list[Tensor]]] = {}

    @torch.no_grad()
    def update(self, progress: float = 1.0) -> None:
        """Blend in the network's present weights.

        Args:
            progress: share of the run that has passed, 0..1.
        """
        # AveragedModel's own update sorts the tensors anew each time, which takes 20 times as long as the sums: a tenth
        # of a training step of a small network on a CPU.
        if not self._pairs:
            self._pairs = self._paired()
        decay = self._decay(progress)
        averaged, current = self._pairs[True]
        torch._foreach_lerp_(averaged, current, 1.0 - decay)
        averaged, current = self._pairs[False]
        if averaged:  # counters
            torch._foreach_copy_(averaged, current)
        self.averaged.n_averaged += 1

    def _decay(self, progress: float) -> float:
        step = int(self.averaged.n_averaged)
        if self.ramp == "step":
            return min(self.decay, (1 + step) / (10 + step)) if step else 0.0
        if self.ramp == "exponential":
            return self.decay * -math.expm1(-_STEEPNESS * progress)
        return self.decay

    def _paired(self) -> dict[bool, tuple[list[Tensor], list[Tensor]]]:
        """The averaged tensors and the network's: those of floating point under True, the others under False.

        Asked for at the first update, since moving a network to a GPU replaces some of its tensors.
        """
        pairs: dict[bool, tuple[list[Tensor], list[Tensor]]] = {True: ([], []), False: ([], [])}
        tensors = zip(
            chain(self.averaged.module.parameters(), self.averaged.module.buffers()),
            chain(self.network.parameters(), self.network.buffers()),
            strict=True,
        )
        for averaged, current in tensors:
            place = pairs[averaged.is_floating_point()]
            place[0].append(averaged.detach())
            place[1].append(current.detach())
        return pairs

    @property
    def module(self) -> nn.Module:
        """The network with the averaged weights."""
        module: nn.Module = self.averaged.module
        return module


def mean_of(networks: Iterable[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of each tensor of several networks, by its name, summed in float64; one network is held at a time.

    Integers, which count batches, are those of the first network.
    """
    number = 0
    sums: dict[str, Tensor] = {}
    kinds: dict[str, torch.dtype] = {}
    for number, tensors in enumerate(networks, 1):
        for name, tensor in tensors.items():
            if number == 1:
                kinds[name] = tensor.dtype
                sums[name] = tensor.double() if tensor.is_floating_point() else tensor
            elif tensor.is_floating_point():
                sums[name] = sums[name] + tensor
    return {
        name: (total / number).to(kinds[name]) if kinds[name].is_floating_point else total
        for name, total in sums.items()
    }
