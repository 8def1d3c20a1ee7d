"""The moving average of the weights, which generalises better than the last step's weights."""

from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class WeightAverage:
    """Exponential moving average of a network's weights and BatchNorm statistics (Tarvainen & Valpola 2017, eq. 3).

    ``average = k * average + (1 - k) * weights`` after each step, starting with the network's present weights. With
    `ramp`, k is 0 at the first update and min(decay, (1 + t) / (10 + t)) at the t-th after it: the first averages
    follow the fast-moving weights closely instead of remembering the initialisation. Without, k = decay.

    Args:
        network: the network that is trained.
        decay: decay of the average per step, 0..1.
        ramp: whether to use a smaller decay at first.
    """

    def __init__(self, network: nn.Module, decay: float, ramp: bool) -> None:
        self.network = network
        self.decay, self.ramp = decay, ramp
        self.averaged = AveragedModel(network, use_buffers=True)
        self._pairs: dict[bool, tuple[list[Tensor], list[Tensor]]] = {}

    @torch.no_grad()
    def update(self) -> None:
        """Blend in the network's present weights."""
        # AveragedModel's own update sorts the tensors anew each time, which takes 20 times as long as the sums: a tenth
        # of a training step of a small network on a CPU.
        if not self._pairs:
            self._pairs = self._paired()
        step = int(self.averaged.n_averaged)
        decay = self.decay
        if self.ramp:
            decay = min(decay, (1 + step) / (10 + step)) if step else 0.0
        averaged, current = self._pairs[True]
        torch._foreach_lerp_(averaged, current, 1.0 - decay)
        averaged, current = self._pairs[False]
        if averaged:  # counters
            torch._foreach_copy_(averaged, current)
        self.averaged.n_averaged += 1

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
