"""NNCF on a network in PyTorch: which values the inputs of its convolutions take, which weights it can do without."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import nncf
import nncf.torch
import torch
from nncf.quantization.advanced_parameters import OverflowFix, QuantizationParameters
from torch import Tensor, nn

from otx_seg.deployment.calibration import Calibration, Recipe, nncf_in_silence, nncf_settings
from otx_seg.models.network import SegmentationNetwork
from otx_seg.models.quantized_conv import LARGEST_INPUT, InputQuantizer, quantize_convolutions

_HOOKS = "__nncf_hooks"
_NO_OPERATIONS = {"nncf_model_const", "nncf_model_input", "nncf_model_output"}


@dataclass(frozen=True)
class _GraphConvolution:
    """Where NNCF sees a convolution.

    Attributes:
        operation: its name.
        sources: names, and which of their outputs, of what computes its input, the last first; before an operation with
            one input comes what computes that.
    """

    operation: str
    sources: tuple[tuple[str, int], ...]


def quantize_network(
    network: SegmentationNetwork, layers: Sequence[str], images: Calibration, recipe: Recipe, pruning_ratio: float
) -> None:
    """Quantise convolutions of a network, in place, to be trained further.

    1. If asked for, NNCF sets the smallest weights to 0, by their magnitude beside that of their layer.
    2. NNCF quantises the network, and so finds the range of each convolution's input on the calibration images.
    3. The convolutions become quantised ones with these ranges; those with the same input share one.

    Args:
        network: in evaluation mode, on the CPU.
        layers: names of its convolutions.
        pruning_ratio: share of their weights to set to 0, 0..1.
    """
    example = torch.from_numpy(images.read(images.indices[0]))
    convolutions, others = _find(network, layers, example)
    masks = _prune(network, layers, others, example, pruning_ratio) if pruning_ratio > 0 else {}
    with torch.no_grad():
        for name, mask in masks.items():
            network.get_submodule(name).weight *= mask  # type: ignore[operator]
    settings = nncf_settings(images, set(), recipe)
    settings["calibration_dataset"] = nncf.Dataset(images.indices, lambda index: torch.from_numpy(images.read(index)))
    settings["ignored_scope"] = nncf.IgnoredScope(names=others, validate=False)
    # One range for all channels: their order in the exported network may be another one. No correction of biases, since
    # they are trained. And weights are not NNCF's concern: `QuantizedConv2d` rounds them.
    settings["advanced_parameters"].activations_quantization_params = QuantizationParameters(per_channel=False)
    settings["advanced_parameters"].disable_bias_correction = True
    settings["advanced_parameters"].overflow_fix = OverflowFix.DISABLE
    images.done = 0
    with nncf_in_silence():
        found = nncf.quantize(network, **settings).state_dict()
    shared: dict[tuple[str, int], InputQuantizer] = {}
    quantizers = {}
    for name, convolution in convolutions.items():
        quantizers[name] = shared.setdefault(convolution.sources[0], _quantizer(found, convolution))
    quantize_convolutions(network, quantizers, masks)


def _find(network: nn.Module, layers: Sequence[str], example: Tensor) -> tuple[dict[str, _GraphConvolution], list[str]]:
    """Where the layers are in NNCF's graph of the network, and the names of all other operations."""
    with nncf_in_silence():
        wrapped = nncf.torch.wrap_model(copy.deepcopy(network), example_input=example, trace_parameters=True)
        graph = nncf.build_graph(wrapped, example_input=example)
    convolutions = {}
    for name in layers:
        (operation,) = graph.get_next_nodes(graph.get_node_by_name(f"{name}.weight"))
        convolutions[name] = _GraphConvolution(operation.node_name, tuple(_sources(graph, operation)))
    chosen = {convolution.operation for convolution in convolutions.values()}
    nodes: list[Any] = graph.get_all_nodes()
    others = [n.node_name for n in nodes if n.node_type not in _NO_OPERATIONS and n.node_name not in chosen]
    return convolutions, others


def _sources(graph: Any, operation: Any) -> Iterator[tuple[str, int]]:
    computed = [edge for edge in graph.get_input_edges(operation) if edge.from_node.node_type != "nncf_model_const"]
    while len(computed) == 1:
        source = computed[0].from_node
        yield source.node_name, computed[0].output_port_id
        computed = [edge for edge in graph.get_input_edges(source) if edge.from_node.node_type != "nncf_model_const"]


def _quantizer(found: dict[str, Tensor], convolution: _GraphConvolution) -> InputQuantizer:
    """What NNCF put before a convolution, or, where only operations that round nothing lie between, further back."""

    hooks = [
        ("pre_hooks", convolution.operation, 0),
        *(("post_hooks", source, output) for source, output in convolution.sources),
    ]
    prefixes = [f"{_HOOKS}.{kind}.{name.replace('.', ':')}__{port}.0." for kind, name, port in hooks]
    nearest = next((prefix for prefix in prefixes if f"{prefix}enabled" in found), None)
    assert nearest is not None, f"NNCF left the input of {convolution.operation} unquantised"
    if f"{nearest}scale" in found:
        # NNCF's symmetric ranges: -128 to 127 steps, or 0 to 255.
        scale, signed = float(found[f"{nearest}scale"]), bool(found[f"{nearest}signed_tensor"])
        return InputQuantizer(scale / (LARGEST_INPUT // 2 if signed else LARGEST_INPUT), 128 if signed else 0)
    low, step = float(found[f"{nearest}input_low"]), float(found[f"{nearest}input_range"]) / LARGEST_INPUT
    return InputQuantizer(step, min(max(round(-low / step), 0), LARGEST_INPUT))


def _prune(
    network: nn.Module, layers: Sequence[str], others: list[str], example: Tensor, ratio: float
) -> dict[str, Tensor]:
    """bool masks, False for the weights that NNCF sets to 0."""
    with nncf_in_silence():
        found = nncf.prune(
            copy.deepcopy(network),
            mode=nncf.PruneMode.UNSTRUCTURED_MAGNITUDE_GLOBAL,
            ratio=ratio,
            ignored_scope=nncf.IgnoredScope(names=others, validate=False),
            examples_inputs=example,
        ).state_dict()
    return {name: found[f"{_HOOKS}.post_hooks.{name.replace('.', ':')}:weight__0.0.binary_mask"] for name in layers}
