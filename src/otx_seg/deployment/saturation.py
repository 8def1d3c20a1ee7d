"""Whether this processor cuts off sums of 8-bit products."""

from __future__ import annotations

import functools

import numpy as np
import openvino
from openvino import opset13

from otx_seg.runtime.openvino_core import openvino_core

_CHANNELS, _SIDE = 32, 8
_INPUT, _WEIGHT = 255, 127


@functools.cache
def sums_saturate() -> bool:
    """Whether OpenVINO gets a convolution of the largest 8-bit inputs and weights wrong on this CPU.

    x86 processors without VNNI add two products in 16 bits: twice 255 x 127 does not fit, and becomes 32,767. It is
    tried instead of asked for, since there is no one name for what processors can do.
    """
    image = opset13.parameter([1, _CHANNELS, _SIDE, _SIDE], np.float32)
    rounded = opset13.fake_quantize(image, *(np.float32(end) for end in (0, _INPUT, 0, _INPUT)), 256)
    integers = opset13.constant(np.full((_CHANNELS, _CHANNELS, 3, 3), _WEIGHT, np.int8))
    scale = opset13.constant(np.ones((_CHANNELS, 1, 1, 1), np.float32))
    kernel = opset13.multiply(opset13.convert(integers, "f32"), scale)
    sums = opset13.convolution(rounded, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
    compiled = openvino_core().compile_model(openvino.Model([sums], [image]), "CPU")
    found = compiled(np.full((1, _CHANNELS, _SIDE, _SIDE), _INPUT, np.float32))[0]
    return bool(found.min() < 0.99 * _CHANNELS * 9 * _INPUT * _WEIGHT)
