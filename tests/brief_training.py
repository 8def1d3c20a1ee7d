"""Trainings that take a second, on the fixture `drawn_data`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from small_network import small_file

from otx_seg.datasets.synthetic.draw import NAMES as DRAWN
from otx_seg.metrics.confusion import PixelCounts, counts_by_label
from otx_seg.training import validation
from otx_seg.training.loggers import Logger, StepReport, TrainResult
from otx_seg.verbs.train import train
from otx_seg.workspace.weights import read_weights

PARAMETERS = {
    "learning_parameters.input_size": "64x64",
    "learning_parameters.batch_size": 3,
    "learning_parameters.num_iters": 3,
    "learning_parameters.num_workers": 0,
    "learning_parameters.pretrained": "none",
    "learning_parameters.use_adaptive_interval": False,
    "learning_parameters.learning_rate_warmup_iters": 2,
    "learning_parameters.ema_keep": 0.5,
}


class At(Logger):
    """Does something after a step."""

    def __init__(self, step: int, do: Callable[[], object]) -> None:
        self.step, self.do = step, do

    def on_step(self, report: StepReport) -> None:
        if report.step == self.step:
            self.do()


class CrashAt(Logger):
    """Fails at a step, as a bug or a lost disk would."""

    class CrashError(Exception):
        pass

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, report: StepReport) -> None:
        if report.step == self.step:
            raise self.CrashError


def train_briefly(data: Path, output: Path, **arguments: Any) -> TrainResult:
    """Train `small_template` for three epochs of three steps; with ``parameters=None``, as its template says."""
    changes = arguments.pop("parameters", {})
    parameters = {**PARAMETERS, **changes} if changes is not None else {}
    if "resume_from" not in arguments:
        arguments = {"template": small_file(), "parameters": parameters, **arguments}
    return train(data / "train", data / "val", output=output, **arguments)


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    """The tensors in the `weights.pth` of a run."""
    return read_weights(run / "models" / "weights.pth").state_dict


def same_weights(first: Path, second: Path) -> bool:
    """Whether two runs ended with the same weights, bit for bit."""
    one, other = weights_of(first), weights_of(second)
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def script_validations(monkeypatch: pytest.MonkeyPatch, *agreed: int) -> None:
    """Let the networks that are scored find so many of 1,000 pixels of each label, one after another."""
    numbers = iter(agreed)

    def counts(*how: Any) -> PixelCounts:
        right, number = torch.eye(len(DRAWN), dtype=torch.int64), next(numbers)
        image = number * right + (1000 - number) * right.roll(1, 0)
        return PixelCounts(2 * image, torch.stack([counts_by_label(image)] * 2))

    monkeypatch.setattr(validation, "count_on_all_processes", counts)
