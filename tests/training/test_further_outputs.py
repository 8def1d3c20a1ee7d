"""Networks with further outputs through a training and behind it."""

from __future__ import annotations

from pathlib import Path

import openvino
import pytest
import torch
import yaml
from brief_training import CrashAt, same_weights, train_briefly, weights_of
from small_network import with_further_outputs
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from otx_seg.deployment.export import REQUIRED_AGREEMENT, export
from otx_seg.labels import Labels, default_colors
from otx_seg.models import build_model
from otx_seg.template import load
from otx_seg.training.loggers import read_metrics
from otx_seg.training.starting_weights import load_starting_weights
from otx_seg.workspace.weights import write_weights


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "several.yaml"
    path.write_text(yaml.safe_dump(with_further_outputs().as_dict()))
    return path


def test_a_training_goes_on_with_all_outputs_and_ships_one(drawn_data: Path, template: Path, tmp_path: Path) -> None:
    train_briefly(drawn_data, tmp_path / "whole", template=template)
    crashing = {"trackers": ["tensorboard"], "loggers": [CrashAt(5)]}
    with pytest.raises(CrashAt.CrashError):
        train_briefly(drawn_data, tmp_path / "crashed", template=template, **crashing)
    train_briefly(drawn_data, tmp_path / "moved", resume_from=tmp_path / "crashed")
    assert same_weights(tmp_path / "whole", tmp_path / "moved")
    assert any(key.startswith("auxiliary_head.") for key in weights_of(tmp_path / "whole"))
    losses = read_metrics(tmp_path / "whole" / "logs" / "metrics.jsonl")[0]
    parts = ("CrossEntropy", "decode_0 CrossEntropy", "aux_0 CrossEntropy", "aux_0 Dice")
    assert losses["loss"] == pytest.approx(sum(losses[part] for part in parts))
    tracked = EventAccumulator(str(tmp_path / "moved" / "trackers" / "tensorboard")).Reload()
    assert {f"losses/{part}" for part in ("loss", *parts)} < set(tracked.Tags()["scalars"])
    assert [value.step for value in tracked.Scalars("scores/mDice")] == [3, 6, 9]
    assert [value.step for value in tracked.Images(tracked.Tags()["images"][0])][:1] == [3]
    exported = export(tmp_path / "whole" / "models" / "weights.pth", tmp_path / "exported")
    assert exported.agreement >= REQUIRED_AGREEMENT
    graph = {operation.get_friendly_name() for operation in openvino.Core().read_model(exported.model).get_ops()}
    assert any("decode_head.0" in name for name in graph)
    assert not any("auxiliary_head" in name for name in graph)


def test_weights_without_the_auxiliary_head_are_a_beginning(template: Path, tmp_path: Path) -> None:
    chosen, labels = load(template), Labels(("background", "thing", "other"), default_colors(3), 0)
    torch.manual_seed(3)
    shipped = build_model(chosen, 3, shipped_alone=True)
    write_weights(tmp_path / "weights.pth", shipped.state_dict(), labels, chosen, "random numbers")
    network = build_model(chosen, 2)
    fewer = Labels(("background", "other"), default_colors(2), 0)
    text = load_starting_weights(network, tmp_path / "weights.pth", fewer, chosen)
    assert "labels matched: background, other; random, because the file has none: aux_0; dropped: thing" in text
    for stage in (0, 1):
        rows = network.state_dict()[f"decode_head.{stage}.conv_seg.weight"]
        assert torch.equal(rows, shipped.state_dict()[f"decode_head.{stage}.conv_seg.weight"][[0, 2]])
