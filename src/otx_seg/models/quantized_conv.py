"""Convolutions that compute as their 8-bit counterparts will, in floating point, and can be trained so."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import torch
import torch.nn.functional as functional
from mmcv.cnn.bricks import Conv2dAdaptivePadding
from mmcv.cnn.bricks.wrappers import Conv2d as MmcvConv2d
from torch import Tensor, nn

from otx_seg.models.backbones.efficientnet_lite import SameConv2d
from otx_seg.models.resampling import exporting

LARGEST_INPUT = 255
"""Inputs become integers from 0 to this."""

LARGEST_WEIGHT = 63
"""Weights become integers from minus this to this. Processors without VNNI or AMX add two products of an input and a
weight in 16 bits, and cut off what is larger: twice 255 x 63 just fits, and a model answers the same everywhere."""

Network = TypeVar("Network", bound=nn.Module)

_MARK = ".quantizer.log_step"
_MASK = ".mask"


class InputQuantizer(nn.Module):
    """Rounds values to 256 evenly spaced ones, among which is 0.

    The step between them is learned as in LSQ (Esser et al. 2020, "Learned Step Size Quantization", equations 1 to 3,
    with the gradient scale of its section 2.2); as a logarithm, so that an optimiser changes it by a share of itself.
    """

    def __init__(self, step: float, zero: int) -> None:
        """
        Args:
            step: distance of two neighbours, above 0.
            zero: which of the 256 values, from 0, is 0.
        """
        super().__init__()
        self.log_step = nn.Parameter(torch.tensor(math.log(step)))
        self.zero: Tensor
        self.register_buffer("zero", torch.tensor(zero, dtype=torch.int32))

    def forward(self, x: Tensor) -> Tensor:
        """(...) floating point -> the same shape and type, rounded."""
        if exporting():
            # The operator that converters know; with numbers, since a graph is written once.
            return torch.fake_quantize_per_tensor_affine(
                x, float(self.log_step.exp()), int(self.zero), 0, LARGEST_INPUT
            )
        gradient_scale = 1 / math.sqrt(x.numel() * LARGEST_INPUT)
        step = _with_scaled_gradient(self.log_step, gradient_scale).exp()
        placed = (x.float() / step + self.zero).clamp(0, LARGEST_INPUT)
        return ((_round(placed) - self.zero) * step).to(x.dtype)


class QuantizedConv2d(nn.Conv2d):
    """A convolution of rounded inputs with rounded weights, padded as the one that it is made of.

    Weights are rounded to whole multiples of a 63rd of the largest of their output channel, as
    `deployment.compact.store_kernels_in_8_bits` stores them: whatever scales an output channel, such as a batch norm
    that is folded into the kernel, leaves these multiples what they are.
    """

    def __init__(self, conv: nn.Conv2d, quantizer: InputQuantizer, mask: Tensor | None = None) -> None:
        """
        Args:
            conv: whose weight and bias are taken over, not copied.
            quantizer: of the inputs; convolutions of the same tensor may share one.
            mask: bool, of the weight's shape: False where a weight is to stay 0; None: nowhere.
        """
        super().__init__(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,  # type: ignore[arg-type]
            conv.stride,  # type: ignore[arg-type]
            conv.padding,  # type: ignore[arg-type]
            conv.dilation,  # type: ignore[arg-type]
            conv.groups,
            conv.bias is not None,
            conv.padding_mode,
            device="meta",
        )
        self._padded = _padding_of(conv)
        self.weight, self.bias = conv.weight, conv.bias
        self.quantizer = quantizer
        self.mask: Tensor | None
        self.register_buffer("mask", mask)
        self.weight_is_rounded = False
        if mask is not None:
            with torch.no_grad():
                self.weight *= mask

    def rounded_weight(self) -> Tensor:
        """The weight as its 8-bit counterpart has it, (O, I, h, w)."""
        if self.weight_is_rounded:
            return self.weight
        weight = self.weight if self.mask is None else self.weight * self.mask
        largest = weight.detach().abs().amax(dim=(1, 2, 3), keepdim=True)
        step = (largest / LARGEST_WEIGHT).clamp_min(torch.finfo(weight.dtype).tiny)
        return _round(weight / step) * step

    def forward(self, x: Tensor) -> Tensor:
        """As the convolution that it is made of. A zero, with which that may pad, is one of the rounded inputs."""
        return self._conv_forward(self._padded(self.quantizer(x)), self.rounded_weight(), self.bias)


_PLAIN = (nn.Conv2d.forward, MmcvConv2d.forward)
"""What convolves and nothing else; that of MMCV differs for empty inputs alone, in old versions of torch."""


def _padding_of(conv: nn.Conv2d) -> Callable[[Tensor], Tensor]:
    """What a convolution does to its input beyond what `nn.Conv2d` does."""
    if isinstance(conv, SameConv2d):
        return conv.padded
    if isinstance(conv, Conv2dAdaptivePadding):
        return partial(_padded_to_stride, kernel=conv.kernel_size, stride=conv.stride, dilation=conv.dilation)
    if type(conv).forward not in _PLAIN:
        raise TypeError(f"a {type(conv).__name__} cannot be quantised")
    return _unchanged


def _unchanged(x: Tensor) -> Tensor:
    return x


def _padded_to_stride(x: Tensor, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Tensor:
    """TensorFlow's SAME: as many zeros as it takes to have ceil(size / stride) positions, the odd one behind."""
    zeros = []
    for axis in (1, 0):  # `functional.pad` begins with the last axis
        size = x.shape[2 + axis]
        reach = (-(-size // stride[axis]) - 1) * stride[axis] + (kernel[axis] - 1) * dilation[axis] + 1
        missing = max(reach - size, 0)
        zeros += [missing // 2, missing - missing // 2]
    return functional.pad(x, zeros)


def _round(x: Tensor) -> Tensor:
    """Rounding, half to even, with the gradient of the identity (Bengio et al. 2013, straight-through)."""
    return x + (x.round() - x).detach()


def _with_scaled_gradient(x: Tensor, scale: float) -> Tensor:
    return x * scale + (x - x * scale).detach()


def quantize_convolutions(
    network: nn.Module, quantizers: Mapping[str, InputQuantizer], masks: Mapping[str, Tensor] | None = None
) -> None:
    """Replace convolutions of a network, in place, by quantised ones.

    Args:
        network: its convolutions are found by their names in it.
        quantizers: for each convolution to replace.
        masks: for those to prune, see `QuantizedConv2d`.
    """
    for name, quantizer in quantizers.items():
        conv = network.get_submodule(name)
        assert isinstance(conv, nn.Conv2d)
        parent, _, own = name.rpartition(".")
        setattr(network.get_submodule(parent), own, QuantizedConv2d(conv, quantizer, (masks or {}).get(name)))


def quantized_layers(keys: Iterable[str]) -> list[str]:
    """The names of the quantised convolutions whose tensors are among the `keys` of a state dict."""
    return [key.removesuffix(_MARK) for key in keys if key.endswith(_MARK)]


def restore_quantized(network: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Make a network, in place, fit to load a state dict: quantise the convolutions that are quantised in it.

    Raises:
        AttributeError: there is none of that name.
    """
    for name in quantized_layers(state_dict):
        mask = state_dict.get(name + _MASK)
        quantize_convolutions(
            network, {name: InputQuantizer(1.0, 0)}, {} if mask is None else {name: torch.ones_like(mask)}
        )


def is_quantized(network: nn.Module) -> bool:
    """Whether a network has quantised convolutions."""
    return any(isinstance(module, QuantizedConv2d) for module in network.modules())


@torch.no_grad()
def with_rounded_weights(network: Network) -> Network:
    """The network, or, if it is quantised, a copy that holds its weights as rounded: ready to fold its norms into."""
    if not is_quantized(network):
        return network
    network = copy.deepcopy(network)
    for module in network.modules():
        if isinstance(module, QuantizedConv2d):
            module.weight = nn.Parameter(module.rounded_weight())
            module.weight_is_rounded = True
    return network


def share_of_zeros(network: nn.Module) -> float:
    """The share, 0..1, of the weights of the quantised convolutions that are pruned."""
    pruned = [module for module in network.modules() if isinstance(module, QuantizedConv2d) and module.mask is not None]
    weights = sum(module.weight.numel() for module in pruned)
    zeros = sum(int((~module.mask).sum()) for module in pruned if module.mask is not None)
    return zeros / weights if weights else 0.0
