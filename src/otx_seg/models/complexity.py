"""How large a network is and how much it computes."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from mmseg.models.segmentors import EncoderDecoder
from torch.utils.flop_counter import FlopCounterMode

from otx_seg.models.network import main_logits

_BYTES_PER_WEIGHT = 4


@dataclass(frozen=True)
class Complexity:
    """Attributes:
    gigaflops: multiply-adds of convolutions and matrix products for one image, in billions.
    parameters: number of weights, fixed bases included, statistics of batch norms not.
    size_mb: these weights as float32, in units of 10^6 bytes.
    output_stride: pixels of the image from one position of the logits to the next.
    """

    gigaflops: float
    parameters: int
    size_mb: float
    output_stride: float


def measure(network: EncoderDecoder, size: int = 512) -> Complexity:
    """Count the work of one square image, from the input to the logits before they are resized.

    Args:
        network: as `build_model` returns it, without the heads that are not shipped; it is not changed.
        size: side of the image, in pixels.
    """
    shapes_only = copy.deepcopy(network).to("meta").eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        logits = main_logits(shapes_only, torch.empty(1, 3, size, size, device="meta"))
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    weights = sum(value.numel() for key, value in network.state_dict().items() if not key.endswith(statistics))
    # The counter takes a multiply-add for two operations; the field, and the original, for one.
    gigaflops, megabytes = counter.get_total_flops() / 2e9, weights * _BYTES_PER_WEIGHT / 1e6
    return Complexity(gigaflops, weights, megabytes, size / logits.shape[-1])
