"""What NNCF finds in a network in torch, put into its layers."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from whole_recipe import EVERYTHING

from otx_seg.datasets import Subset
from otx_seg.deployment.calibration import Calibration, Recipe
from otx_seg.deployment.ranges import quantize_network
from otx_seg.inference.torch_predictor import open_checkpoint
from otx_seg.models.network import SegmentationNetwork
from otx_seg.models.quantized_conv import QuantizedConv2d, share_of_zeros

# The second and third take the same tensor; behind the last one's input comes an addition.
LAYERS = [
    f"network.backbone.{name}"
    for name in (
        "stem.conv2.conv",
        "stage1.0.fuse_layers.0.2.0",
        "stage1.0.fuse_layers.1.2.0",
        "stage1.0.fuse_layers.2.1.0.2",
    )
]


def inputs_of(network: SegmentationNetwork, image: np.ndarray) -> dict[str, torch.Tensor]:
    """What reaches each layer, seen with torch's own hooks."""
    seen: dict[str, torch.Tensor] = {}
    for name in LAYERS:
        network.get_submodule(name).register_forward_pre_hook(lambda _, given, name=name: seen.update({name: given[0]}))
    with torch.no_grad():
        network(torch.from_numpy(image))
    return seen


@pytest.fixture
def network(small_weights: Path) -> SegmentationNetwork:
    return open_checkpoint(small_weights, device="cpu").network


def one_image(data: Subset) -> Calibration:
    return Calibration(data, (64, 64), 1, seed=0, progress=None)


@pytest.mark.parametrize("preset", ["Performance", "Mixed"])
def test_the_ranges_are_those_of_the_inputs(preset: str, network: SegmentationNetwork, tiny_data: Subset) -> None:
    images = one_image(tiny_data)
    seen = inputs_of(copy.deepcopy(network), images.read(images.indices[0]))
    recipe = Recipe(**{**vars(EVERYTHING), "preset": preset})
    quantize_network(network, LAYERS, images, recipe, pruning_ratio=0)
    for name in LAYERS:
        quantizer = network.get_submodule(name).quantizer
        step, zero = float(quantizer.log_step.exp()), int(quantizer.zero)
        low, high = float(seen[name].min()), float(seen[name].max())
        if low >= 0:
            assert zero == 0
            assert step == pytest.approx(high / 255, rel=1e-4)
        elif preset == "Performance":
            assert zero == 128
            assert step == pytest.approx(max(-low, high) / 127, rel=1e-4)
        else:
            assert -zero * step == pytest.approx(low, abs=step)
            assert (255 - zero) * step == pytest.approx(high, abs=step)
    assert any(int(network.get_submodule(name).quantizer.zero) == 0 for name in LAYERS)
    assert any(int(network.get_submodule(name).quantizer.zero) > 0 for name in LAYERS)


def test_layers_with_the_same_input_share_its_range(network: SegmentationNetwork, tiny_data: Subset) -> None:
    before = network.state_dict()
    quantize_network(network, LAYERS, one_image(tiny_data), EVERYTHING, pruning_ratio=0)
    quantizers = [network.get_submodule(name).quantizer for name in LAYERS]
    assert quantizers[1] is quantizers[2]
    assert len(set(quantizers)) == 3
    assert sum(isinstance(module, QuantizedConv2d) for module in network.modules()) == 4
    assert share_of_zeros(network) == 0
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in before.items())


@pytest.mark.parametrize("ratio", [0.3, 0.7])
def test_the_smallest_weights_are_pruned(ratio: float, network: SegmentationNetwork, tiny_data: Subset) -> None:
    before = {name: network.get_submodule(name).weight.detach().clone() for name in LAYERS}
    quantize_network(network, LAYERS, one_image(tiny_data), EVERYTHING, pruning_ratio=ratio)
    assert share_of_zeros(network) == pytest.approx(ratio, abs=1e-3)
    largest, smallest = [], []
    for name, weight in before.items():
        after = network.get_submodule(name).weight.detach()
        kept = after != 0
        assert torch.equal(after[kept], weight[kept])
        share = (weight / weight.norm()).abs()
        largest.append(share[~kept].max())
        smallest.append(share[kept].min())
    assert max(largest) <= min(smallest)


def test_nothing_is_printed(
    network: SegmentationNetwork, tiny_data: Subset, capsys: pytest.CaptureFixture[str]
) -> None:
    quantize_network(network, LAYERS, one_image(tiny_data), EVERYTHING, pruning_ratio=0.5)
    assert capsys.readouterr().out == ""
