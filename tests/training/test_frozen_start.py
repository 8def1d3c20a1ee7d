"""A backbone that keeps its weights at first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from brief_training import train_briefly
from torch import Tensor, nn

from otx_seg.algorithms.supervised import Supervised
from otx_seg.training.frozen_start import FrozenStart
from otx_seg.training.loggers import Logger, StepReport


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.head = nn.Linear(2, 2), nn.Linear(2, 2)
        self.backbone.bias.requires_grad_(False)

    def step(self, start: FrozenStart, step: int, progress: float) -> bool:
        """Whether the backbone got a gradient."""
        self.zero_grad(set_to_none=True)
        start.begin(step, progress)
        self.head(self.backbone(torch.ones(1, 2))).sum().backward()
        start.clear(step, progress)
        assert self.head.weight.grad is not None
        assert self.backbone.bias.grad is None
        return self.backbone.weight.grad is not None


@pytest.mark.parametrize("processes", [1, 2])
def test_it_ends_after_its_steps_or_a_fifth_of_the_run(processes: int) -> None:
    network = Network()
    start = FrozenStart(network.backbone, 3, processes)
    assert [network.step(start, step, step / 100) for step in range(5)] == [False, False, False, True, True]
    assert [network.step(start, step, step / 10) for step in range(4)] == [False, False, True, True]


def test_no_steps_change_nothing() -> None:
    network = Network()
    assert network.step(FrozenStart(network.backbone, 0, 1), 0, 0.0)
    assert not network.backbone.bias.requires_grad


class Watch(Logger):
    """Keeps the weights of the network after each step."""

    def __init__(self) -> None:
        self.network: Any = None
        self.seen: list[dict[str, Tensor]] = []

    def on_step(self, report: StepReport) -> None:
        self.seen.append({name: value.detach().clone() for name, value in self.network.named_parameters()})


def test_in_a_training_the_head_learns_first(drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch, build = Watch(), Supervised.__init__

    def remember(self: Supervised, network: Any, *others: Any) -> None:
        build(self, network, *others)
        watch.network = network

    monkeypatch.setattr(Supervised, "__init__", remember)
    parameters = {"learning_parameters.frozen_backbone_iters": 9}
    result = train_briefly(drawn_data, tmp_path / "run", parameters=parameters, loggers=[watch])
    assert result.steps == 9

    def learned(part: str, before: int, after: int) -> bool:
        pairs = [(watch.seen[before][name], watch.seen[after][name]) for name in watch.seen[0] if part in name]
        return any(not torch.equal(*pair) for pair in pairs)

    # The first two of nine steps lie in the first fifth.
    assert [learned("backbone", step, step + 1) for step in range(3)] == [False, True, True]
    assert [learned("decode_head", step, step + 1) for step in range(3)] == [True, True, True]
