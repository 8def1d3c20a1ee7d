"""Weights of another model as a beginning: rows by label name, other networks refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_network import small_template

from otx_seg.errors import UsageError
from otx_seg.labels import Labels, default_colors
from otx_seg.models import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.template import Template, load
from otx_seg.training.starting_weights import load_starting_weights
from otx_seg.workspace.weights import read_weights, write_weights


def labels(*names: str) -> Labels:
    return Labels(names, default_colors(len(names)), None)


def test_rows_follow_their_labels(tiny_weights: Path) -> None:
    template = small_template()
    network = build_model(template, 3)
    own = network.decode_head.conv_seg.weight.detach().clone()
    text = load_starting_weights(network, tiny_weights, labels("sky", "new one", "background"), template)
    assert "labels matched: sky, background; new: new one" in text
    before = read_weights(tiny_weights)  # background, red brick, pole, sky
    rows = network.decode_head.conv_seg.weight
    assert torch.equal(rows[0], before.state_dict["decode_head.conv_seg.weight"][3])
    assert torch.equal(rows[1], own[1])
    assert torch.equal(rows[2], before.state_dict["decode_head.conv_seg.weight"][0])
    key = "backbone.stem.conv1.conv.weight"
    assert torch.equal(network.state_dict()[key], before.state_dict[key])


def test_another_network_is_refused(tiny_weights: Path) -> None:
    template = load("Lite-HRNet-18")
    with pytest.raises(UsageError, match=r"made from the template Lite-HRNet-s-mod2, whose network is not that of"):
        load_starting_weights(build_model(template, 2), tiny_weights, labels("a", "b"), template)


@pytest.mark.parametrize("key", ["decode_head.conv_seg.weight", "backbone.stem.conv1.conv.weight"])
def test_whole_numbers_are_refused(tiny_weights: Path, tmp_path: Path, key: str) -> None:
    content = torch.load(tiny_weights, weights_only=True)
    del content["digest"]
    content["model"]["state_dict"][key] = content["model"]["state_dict"][key].long()
    torch.save(content, tmp_path / "weights.pth")
    template = small_template()
    with pytest.raises(UsageError, match=rf"does not fit the network .*{key}"):
        load_starting_weights(build_model(template, 2), tmp_path / "weights.pth", labels("a", "b"), template)


def test_a_checkpoint_with_other_tensors_is_refused(tiny_weights: Path, tmp_path: Path) -> None:
    template = small_template()
    content = torch.load(tiny_weights, weights_only=True)
    del content["model"]["state_dict"]["backbone.stem.conv1.conv.weight"], content["digest"]
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(UsageError, match=r"does not fit the network .*backbone.stem.conv1.conv.weight"):
        load_starting_weights(build_model(template, 2), tmp_path / "weights.pth", labels("a", "b"), template)


def _binary(template: Template) -> Template:
    return template.override({"learning_parameters.binary": True})


def test_a_network_of_one_channel_and_one_of_two_start_from_each_other(tmp_path: Path) -> None:
    """The sigmoid of one channel is the softmax of two; a binary one names the labels in another order."""
    two, one = small_template(), _binary(small_template())
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    found = {}
    for template, names in ((two, ("background", "crack")), (one, ("crack", "background"))):
        network = build_model(template, 2)
        torch.nn.init.normal_(network.decode_head.conv_seg.weight)
        path = tmp_path / "weights.pth"
        write_weights(path, network.state_dict(), labels(*names), template, "random numbers")
        for other in (two, one):
            following = build_model(other, 2)
            load_starting_weights(following, path, labels("background", "crack"), other)
            found[template is one, other is one] = SegmentationNetwork(following).eval()(images).softmax(1)
        expected = SegmentationNetwork(network).eval()(images).softmax(1)
        expected = expected if template is two else expected.flip(1)
        for other in (two, one):
            torch.testing.assert_close(found[template is one, other is one], expected)
