from pathlib import Path

import pytest

from otx_seg.deployment import ignored_nodes, quantization_aware
from otx_seg.deployment.calibration import recipe
from otx_seg.inference.torch_predictor import open_checkpoint
from otx_seg.runtime.openvino_predictor import read_ir
from otx_seg.workspace.weights import read_weights


def chosen_layers(weights: Path, ir: Path) -> list[str]:
    template = read_weights(weights).template
    assert template is not None
    predictor = open_checkpoint(weights, device="cpu")
    return quantization_aware.worthwhile_layers(predictor, read_ir(ir), recipe(template), weights)


def test_layers_are_those_of_much_work(tiny_weights: Path, tiny_ir: Path) -> None:
    chosen = chosen_layers(tiny_weights, tiny_ir)
    # For each of the 64 x 64 pixels: 12 * 60 / 2**2 and more in the stem, 4 * 60 / 8**2 in the classifier.
    assert "network.backbone.stem.conv1.conv" in chosen
    assert "network.decode_head.conv_seg" not in chosen


def test_layers_that_let_channels_pass_when_exported_are_left_alone(
    tiny_weights: Path, tiny_ir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ignored_nodes, "_WORTH_QUANTIZING", 0)
    chosen = chosen_layers(tiny_weights, tiny_ir)
    network = open_checkpoint(tiny_weights, device="cpu").network
    assert "network.decode_head.conv_seg" in chosen
    # The blocks' depthwise convolutions work on half of a branch, and on all of it when exported.
    halves = [name for name, _ in network.named_modules() if "depthwise_convs" in name and name.endswith(".conv")]
    assert halves
    assert not set(halves) & set(chosen)
