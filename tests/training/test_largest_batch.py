"""Batches are doubled until one does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from brief_training import PARAMETERS

from otx_seg import algorithms
from otx_seg.algorithms.progress import TrainProgress
from otx_seg.algorithms.supervised import Supervised
from otx_seg.datasets import DataSpec, open_training
from otx_seg.models import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.template import load
from otx_seg.training.largest_batch import find_largest_batch


@pytest.mark.parametrize(("room", "most", "found"), [(4, 8, 4), (8, 8, 8), (1, 8, 2), (8, 5, 5), (8, 1, 2)])
def test_the_largest_batch_that_fits(
    room: int, most: int, found: int, drawn_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, tried = Supervised.training_step, []

    def greedy(
        self: Supervised, batch: dict[str, dict[str, torch.Tensor]], moment: TrainProgress
    ) -> dict[str, torch.Tensor]:
        tried.append(len(batch["labelled"]["image"]))
        if tried[-1] > room:
            torch.empty(1 << 50, dtype=torch.uint8)
        return step(self, batch, moment)

    monkeypatch.setattr(Supervised, "forward", greedy)
    template = load("Lite-HRNet-s-mod2").override({**PARAMETERS, "learning_parameters.batch_size": 2})
    data = open_training(DataSpec(drawn_data / "train", drawn_data / "val"), seed=1)
    labels = len(data.train.labels)
    algorithm = algorithms.build(template, SegmentationNetwork(build_model(template, labels)), (1.0,) * labels)
    assert find_largest_batch(algorithm, data, template, most) == found
    assert len(tried) <= 2


def test_another_failure_is_not_taken_for_a_full_memory(drawn_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("shape mismatch")

    monkeypatch.setattr(Supervised, "forward", fail)
    template = load("Lite-HRNet-s-mod2").override({**PARAMETERS, "learning_parameters.batch_size": 2})
    data = open_training(DataSpec(drawn_data / "train", drawn_data / "val"), seed=1)
    labels = len(data.train.labels)
    algorithm = algorithms.build(template, SegmentationNetwork(build_model(template, labels)), (1.0,) * labels)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        find_largest_batch(algorithm, data, template, 8)
