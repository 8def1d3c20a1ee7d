"""The statistics of batch norms as averages over images, instead of moving averages over a training's last steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class _Moments:
    """The mean over batches of a norm's mean and squared values, by channel, float64."""

    def __init__(self) -> None:
        self.batches = 0
        self.means = self.squares = torch.zeros((), dtype=torch.float64)

    def add(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """Take note of what a norm gets, (B, C, ...); a hook."""
        values = inputs[0].detach()
        others = [dimension for dimension in range(values.ndim) if dimension != 1]
        variance, mean = (found.cpu().double() for found in torch.var_mean(values.float(), others, correction=0))
        self.batches += 1
        self.means = self.means + mean
        self.squares = self.squares + variance + mean.square()

    def mean(self) -> Tensor:
        return self.means / self.batches

    def variance(self) -> Tensor:
        return (self.squares / self.batches - self.mean().square()).clamp(min=0)


@torch.no_grad()
def estimate_norms(network: nn.Module, batches: Iterable[Tensor]) -> int:
    """Put the statistics of images in the place of the running mean and variance of batch norms.

    Wu & Johnson 2021, "Rethinking 'Batch' in BatchNorm", section 3. With the mean m and the variance v of a batch,
    running_mean = E[m] and running_var = E[v + m^2] - E[m]^2, where every batch counts alike: for batches of the same
    size, mean and variance of all values. Meanwhile each norm works with the statistics of its batch, as in
    training, so that those behind it get what they got there; everything else works as in evaluation.

    Norms that the network itself keeps in evaluation mode while it trains stay as they are, and so do those that the
    main output does not need.

    Args:
        network: is left in evaluation mode.
        batches: what it takes.

    Returns:
        how many norms there were.
    """
    norms = {norm: _Moments() for norm in _learning_norms(network)}
    hooks: list[Any] = [norm.register_forward_pre_hook(moments.add) for norm, moments in norms.items()]
    network.eval()
    for norm in norms:
        norm.train()
        norm.track_running_stats = False  # its buffers, a counter among them, do not change
    try:
        for images in batches:
            network(images)
    finally:
        for norm, hook in zip(norms, hooks, strict=True):
            norm.track_running_stats = True
            hook.remove()
        network.eval()
    found = {norm: moments for norm, moments in norms.items() if moments.batches}
    for norm, moments in found.items():
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(moments.mean())
        norm.running_var.copy_(moments.variance())
    return len(found)


def _learning_norms(network: nn.Module) -> list[_BatchNorm]:
    """The batch norms that take note of images when the network trains."""
    network.train()
    return [
        module
        for module in network.modules()
        if isinstance(module, _BatchNorm) and module.training and module.track_running_stats
    ]
