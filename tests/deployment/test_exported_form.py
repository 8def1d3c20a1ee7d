from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path

import openvino
import pytest
import torch
from mmcv.cnn import ConvModule
from mmseg.models.utils import Upsample
from torch import nn
from torch.testing import assert_close

from otx_seg.deployment.exported_form import UnsplitWeighting, exported_form, fold_batch_norm, unshuffle
from otx_seg.models.build import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.runtime.openvino_core import openvino_core
from otx_seg.template import find_templates, load


def with_statistics(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.running_mean, -1, 1)
            nn.init.uniform_(norm.running_var, 0.5, 2)
            nn.init.uniform_(norm.weight, 0.5, 2)
            nn.init.uniform_(norm.bias, -1, 1)
    return module.eval()


def norms(module: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())


@pytest.mark.parametrize(
    ("module", "left"),
    [
        (ConvModule(3, 8, 3, norm_cfg={"type": "BN"}), 0),
        (ConvModule(3, 8, 3, groups=1, bias=True, norm_cfg={"type": "BN"}, act_cfg=None), 0),
        (nn.Sequential(nn.Conv2d(3, 8, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 2, 1)), 0),
        (nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.BatchNorm2d(8)), 1),
        (nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 8, 1)), 1),
        (ConvModule(3, 8, 3, norm_cfg={"type": "BN"}, order=("act", "conv", "norm")), 1),
        (ConvModule(3, 8, 3, norm_cfg={"type": "BN"}, order=("norm", "conv", "act")), 1),
    ],
)
def test_equal_to_rounding(module: nn.Module, left: int) -> None:
    module = with_statistics(module)
    before = norms(module)
    images = torch.randn(2, 3, 9, 9)
    folded = fold_batch_norm(module)
    assert norms(folded) == left
    assert norms(module) == before
    assert_close(folded(images), module(images), atol=1e-5, rtol=1e-4)


def test_a_whole_network(tiny_network: SegmentationNetwork) -> None:
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    folded = fold_batch_norm(tiny_network)
    assert norms(folded) == 0
    with torch.no_grad():
        assert_close(folded(images), tiny_network(images), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_enlargement_has_no_fixed_size() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 4, 1), Upsample(scale_factor=4, mode="bilinear", align_corners=False))
    network = random_network(load("Lite-HRNet-s-mod2").model)
    network.extra = layers
    form = exported_form(network)
    x = torch.randn(1, 3, 7, 5)
    assert torch.equal(form.extra(x), layers(x))
    assert not [module for module in form.modules() if isinstance(module, Upsample)]


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
