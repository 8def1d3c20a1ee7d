"""Layers in plain torch functions, from the tensors of a module: what a test works a block out with."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn


def with_statistics(module: nn.Module) -> Any:
    """The module for evaluation, with batch norms that change what passes them."""
    for key, value in module.state_dict().items():
        if key.endswith(("running_var", "bn.weight", "1.weight")) and value.ndim == 1:
            value.uniform_(0.5, 1.5)
        elif key.endswith(("running_mean", "bn.bias", "1.bias")) and value.ndim == 1:
            value.normal_()
    module.eval()
    return module


def conv_norm(x: Tensor, module: nn.Module, relu: bool = True, **how: Any) -> Tensor:
    """A convolution without bias, a batch norm and, where asked for, a ReLU.

    Args:
        module: with the tensors of a convolution, then those of a batch norm.
        how: stride, padding, dilation and groups of the convolution.
    """
    kernel, scale, shift, mean, variance, _ = module.state_dict().values()
    x = functional.conv2d(x, kernel, **how)
    of_channel = (-1, 1, 1)
    x = (x - mean.view(of_channel)) / torch.sqrt(variance.view(of_channel) + 1e-5)
    x = x * scale.view(of_channel) + shift.view(of_channel)
    return x.clamp_min(0) if relu else x


def conv_norm_relu(layer: nn.Module, x: Tensor, dilation: int = 1) -> Tensor:
    """A convolution that keeps the size, a batch norm and a ReLU, with the tensors of `layer`."""
    kernel = next(iter(layer.state_dict().values()))
    return conv_norm(x, layer, padding=dilation * (kernel.shape[-1] // 2), dilation=dilation)


def separable(x: Tensor, module: nn.Module, groups: int, dilation: int = 1) -> Tensor:
    """A 3x3 convolution within groups of channels, then a 1x1 convolution, both with norm and ReLU."""
    grouped, pointwise = module.children()
    return conv_norm(conv_norm(x, grouped, padding=dilation, dilation=dilation, groups=groups), pointwise)


def enlarged(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resizing with half-pixel centres, (B, C, H, W) -> (B, C, *size), one axis after the other."""
    for axis, length in zip((2, 3), size, strict=True):
        old = x.shape[axis]
        position = ((torch.arange(length, dtype=torch.float64) + 0.5) * old / length - 0.5).clamp(0, old - 1)
        low = position.floor().long()
        share = (position - low).float().view([-1 if of == axis else 1 for of in range(4)])
        high = (low + 1).clamp_max(old - 1)
        x = x.index_select(axis, low) * (1 - share) + x.index_select(axis, high) * share
    return x
