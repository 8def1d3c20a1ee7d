"""The temperature of a network's calibration as a part of its exported graph."""

from __future__ import annotations

import math

import torch

from otx_seg.models.network import SegmentationNetwork, is_binary

_ROUNDING = 1e-4
"""By how much scaled logits may miss what they should be, as a share of the largest."""


@torch.no_grad()
def fold_temperature(network: SegmentationNetwork, temperature: float, input_size: tuple[int, int]) -> bool:
    """Divide the weights and biases of a network's last convolution by a temperature, in place.

    Then its logits are divided by it, if all that follows that convolution is linear and it is used once. Whether they
    are is tried on an image of noise.

    Args:
        network: in evaluation mode, with parameters of its own.
        input_size: (height, width) in pixels.

    Returns:
        Whether they are; if not, the network is as before.
    """
    head = network.main_head
    last = getattr(head, "conv_seg", None)
    if last is None:
        return False
    noise = torch.rand(1, 3, *input_size, generator=torch.Generator().manual_seed(0)) * 255
    wanted = network(noise) / temperature
    parameters = [tensor for tensor in (last.weight, last.bias) if tensor is not None]
    before, threshold = [tensor.clone() for tensor in parameters], head.threshold
    for tensor in parameters:
        tensor /= temperature
    if is_binary(head) and threshold != 0.5:  # its log-odds are taken off behind the convolution
        head.threshold = 1 / (1 + math.exp(-math.log(threshold / (1 - threshold)) / temperature))
    if (network(noise) - wanted).abs().max() <= _ROUNDING * wanted.abs().max():
        return True
    for tensor, values in zip(parameters, before, strict=True):
        tensor.copy_(values)
    head.threshold = threshold
    return False
