import copy
from collections import Counter
from pathlib import Path

import openvino
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from otx_seg.deployment.fuse import fold_batch_norm
from otx_seg.deployment.unshuffle import UnsplitWeighting, unshuffle
from otx_seg.models.build import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.runtime.openvino_core import openvino_core
from otx_seg.template import find_templates, load

LITE_HRNETS = [found.name for found in find_templates() if found.name.startswith("Lite-HRNet")]


def random_network(model: dict) -> SegmentationNetwork:
    """A folded network in which every weight, bias and statistic matters to the result."""
    torch.manual_seed(0)
    template = load("Lite-HRNet-s-mod2").model_copy(update={"model": model})
    network = SegmentationNetwork(build_model(template, 3)).eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
    return fold_batch_norm(network)


def blocks(network: SegmentationNetwork) -> int:
    return sum(isinstance(module, UnsplitWeighting) for module in network.modules())


@pytest.mark.parametrize("name", LITE_HRNETS)
def test_every_lite_hrnet_computes_the_same(name: str) -> None:
    network = random_network(load(name).model)
    images = torch.randint(0, 256, (2, 3, 72, 104), dtype=torch.uint8)  # divided by nothing
    with torch.no_grad():
        expected = network(images)
        unshuffle(network)
        assert blocks(network) > 0
        found = network(images)
    assert_close(found, expected, atol=1e-4 * float(expected.abs().max()), rtol=0)


def test_a_moved_channel_would_be_noticed() -> None:
    network = random_network(load("Lite-HRNet-s-mod2").model)
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        expected = network(images)
        unshuffle(network)
        gate = network.network.backbone.stage1[3].layers[1].spatial_weighting[0].conv2.conv
        gate.weight[:] = gate.weight.roll(1, 0)
        assert (network(images) - expected).abs().max() > 1e-3 * expected.abs().max()


def test_another_head_is_left_alone() -> None:
    model = copy.deepcopy(load("Lite-HRNet-s-mod2").model)
    model["decode_head"] = {
        "type": "FCNHead",
        "in_channels": 60,
        "in_index": 0,
        "channels": 8,
        "num_convs": 1,
        "num_classes": 2,
        "norm_cfg": {"type": "BN"},
    }
    network = random_network(model)
    unshuffle(network)
    assert blocks(network) == 0


def test_the_exported_graph_moves_no_channels(tiny_ir: Path) -> None:
    model: openvino.Model = openvino_core().read_model(tiny_ir)
    moving = Counter(
        node.get_friendly_name().split("/")[0]
        for node in model.get_ops()
        if node.get_type_name() in {"ShuffleChannels", "VariadicSplit", "Split", "Transpose"}
    )
    assert set(moving) <= {"backbone.stem"}
