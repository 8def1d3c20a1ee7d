"""Which nodes of a graph quantisation leaves alone."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino

from otx_seg.errors import UsageError

_SHOWN = 8  # names in a message: enough to see how they are made

_NOT_COMPUTED = {"Constant", "Parameter", "Result"}
_WEIGHTED = {"Convolution", "GroupConvolution", "MatMul"}
_WORTH_QUANTIZING = 16
"""Multiplications per pixel of the image from which on an operation is quantised: with fewer, computing with integers
gains little, and each costs some accuracy."""


def weighted_nodes(graph: openvino.Model) -> list[openvino.Node]:
    """The convolutions and matrix products of a graph whose second operand is not computed from the image."""
    computed: set[str] = set()  # names of the nodes that depend on the image
    nodes = []
    for node in graph.get_ordered_ops():
        sources = [value.get_node().get_friendly_name() for value in node.input_values()]
        if node.get_type_name() == "Parameter" or not computed.isdisjoint(sources):
            computed.add(node.get_friendly_name())
        # Parameters of a network may be stored in fewer bits and converted.
        if node.get_type_name() in _WEIGHTED and sources[1] not in computed:
            nodes.append(node)
    return nodes


def integer_layers(graph: openvino.Model) -> set[str]:
    """The names of the convolutions and matrix products whose input is quantised."""
    return {node.get_friendly_name() for node in weighted_nodes(graph) if is_quantized(node.input_value(0))}


def is_quantized(value: openvino.Output) -> bool:
    """Whether a value is rounded to one of a few."""
    node = value.get_node()
    if node.get_type_name() in ("Transpose", "Reshape"):  # moves values, and leaves them what they are
        return is_quantized(node.input_value(0))
    return bool(node.get_type_name() == "FakeQuantize")


def delicate_nodes(graph: openvino.Model, size: tuple[int, int]) -> set[str]:
    """The names of the nodes that are better left in floating point in any network.

    These are all but the weighted operations with at least 16 multiplications per pixel of the image and their biases:
    sums, products, means and resizing need the precision more than they gain from integers. On Lite-HRNet-s and CamVid,
    quantising everything cost 4 Dice points, and quantising the convolutions alone none.

    Args:
        graph: from one image to what is known about it.
        size: (height, width) in pixels of the image it will be run on, where it leaves that open.
    """
    if graph.is_dynamic():
        graph = graph.clone()
        graph.reshape([1, 3, *size])
    chosen = {
        node.get_friendly_name() for node in weighted_nodes(graph) if is_worth_quantizing(_multiplications(node), size)
    }
    biases = {
        node.get_friendly_name()
        for node in graph.get_ordered_ops()
        if node.get_type_name() == "Add" and node.input_value(0).get_node().get_friendly_name() in chosen
    }
    others = {node.get_friendly_name() for node in graph.get_ordered_ops() if node.get_type_name() not in _NOT_COMPUTED}
    return others - chosen - biases


def is_worth_quantizing(multiplications: int, size: tuple[int, int]) -> bool:
    """Whether a layer is that needs so many multiplications, those with 0 left out, for an image of (height, width)."""
    return multiplications >= _WORTH_QUANTIZING * math.prod(size)


def _multiplications(node: openvino.Node) -> int:
    """How many a weighted node needs for one image, those with 0 left out: `unshuffle` fills kernels up with zeros."""
    stored = node.input_value(1).get_node()
    known = stored.get_type_name() == "Constant"
    parameters = np.count_nonzero(stored.get_data()) if known else math.prod(node.input_value(1).get_shape())
    # (1, C, H, W) of a convolution, (1, N, C) of a matrix product
    shape = node.get_output_shape(0)
    return int(parameters) * (math.prod(shape[:-1]) if node.get_type_name() == "MatMul" else math.prod(shape[2:]))


def find_ignored_nodes(graph: openvino.Model, patterns: Sequence[str], types: Sequence[str], path: Path) -> set[str]:
    """The names of the nodes in whose name one of the patterns is found, or that are of one of the types.

    Args:
        patterns: regular expressions, looked for anywhere in a name.
        types: operation types as OpenVINO calls them, such as ``Multiply``.
        path: the model, for messages.

    Raises:
        UsageError: a pattern is not a regular expression, or a pattern or type matches nothing: then the network is not
            the one it was written for, and what it was to protect would be quantised without a word.
    """
    nodes = [(node.get_friendly_name(), node.get_type_name()) for node in graph.get_ordered_ops()]
    nodes = [(name, kind) for name, kind in nodes if kind not in _NOT_COMPUTED]
    ignored: set[str] = set()
    for pattern in patterns:
        found = [name for name, _ in nodes if _compiled(pattern).search(name)]
        if not found:
            names = sorted({module_of(name) for name, _ in nodes})
            shown = ", ".join(names[:: max(1, len(names) // _SHOWN)][:_SHOWN])
            raise UsageError(
                f"{path}: no node matches the ignored pattern {pattern!r}; correct it in the template's "
                f"quantization.ignored_patterns. Some of its nodes: {shown}"
            )
        ignored.update(found)
    for wanted in types:
        found = [name for name, kind in nodes if kind == wanted]
        if not found:
            raise UsageError(
                f"{path}: has no node of the ignored type {wanted!r}; correct the template's "
                f"quantization.ignored_types. Its types: {', '.join(sorted({kind for _, kind in nodes}))}"
            )
        ignored.update(found)
    return ignored


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise UsageError(f"the ignored pattern {pattern!r} is not a regular expression: {error}") from error


def module_of(name: str) -> str:
    """The path, in the network, of the module that a node of the graph comes from."""
    return name.split("/")[0]
