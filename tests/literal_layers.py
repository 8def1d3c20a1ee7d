"""Layers written out in plain functions, for tests that work networks out by hand."""

from __future__ import annotations

import torch.nn.functional as functional
from mmcv.cnn import ConvModule
from torch import Tensor


def conv_norm_relu(layer: ConvModule, x: Tensor, dilation: int = 1) -> Tensor:
    """Convolution that keeps the size, batch norm as in evaluation, ReLU, with the weights of `layer`."""
    weight = layer.conv.weight
    sums = functional.conv2d(x, weight, padding=dilation * (weight.shape[-1] // 2), dilation=dilation)
    norm = layer.bn
    return functional.batch_norm(sums, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=1e-5).relu()
