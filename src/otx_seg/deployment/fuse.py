"""Folding batch normalisation into the convolutions before it.

The converters do that too, but name the merged node after neither: by folding first, every convolution of the
exported graph keeps the name it has in the network, which is what patterns of ignored nodes are written against.
"""

from __future__ import annotations

import copy
from typing import TypeVar

from mmcv.cnn import ConvModule
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)


def fold_batch_norm(network: Network) -> Network:
    """A copy of a network in evaluation mode, equal up to rounding, in which a convolution does its norm's work.

    Only where one is certain to follow the other: in a ``ConvModule`` and side by side in an ``nn.Sequential``.
    """
    folded = copy.deepcopy(network)
    for module in list(folded.modules()):
        if isinstance(module, ConvModule):
            _fold_conv_module(module)
        elif isinstance(module, nn.Sequential):
            _fold_sequence(module)
    return folded


def _fold_conv_module(module: ConvModule) -> None:
    usual = module.order[:2] == ("conv", "norm") and not module.with_spectral_norm
    if usual and module.with_norm and isinstance(module.norm, nn.BatchNorm2d) and isinstance(module.conv, nn.Conv2d):
        module.conv = fuse_conv_bn_eval(module.conv, module.norm)
        setattr(module, module.norm_name, nn.Identity())


def _fold_sequence(sequence: nn.Sequential) -> None:
    for index in range(len(sequence) - 1):
        convolution, norm = sequence[index], sequence[index + 1]
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            sequence[index] = fuse_conv_bn_eval(convolution, norm)
            sequence[index + 1] = nn.Identity()
