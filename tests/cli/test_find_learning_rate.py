"""What a user sees of a learning-rate range test, and can get wrong about it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from brief_training import PARAMETERS
from small_network import small_file, small_template

from otx_seg.training import rate_range

PARAMS = [
    "params",
    *(f"--{name}={value}" for name, value in {**PARAMETERS, "learning_parameters.batch_size": 8}.items()),
]


@pytest.fixture
def find(otx: Any, drawn_data: Path, tmp_path: Path) -> Any:
    """Test learning rates in ``tmp_path/run``; gives the outcome."""

    def call(*arguments: object, template: object = None) -> Any:
        roots = ["--train-data-roots", drawn_data / "train", "--val-data-roots", drawn_data / "val"]
        own = ["--find-learning-rate", *roots, "-o", tmp_path / "run"]
        return otx("train", template or small_file(), *own, *arguments, *PARAMS)

    return call


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["--resume-from", "x"], ["--find-learning-rate and --resume-from", "keeps its learning rate"]),
        (["--enable-hpo"], ["--find-learning-rate and --enable-hpo", "leave one of them out"]),
        (["--hpo-time-ratio", "2"], ["--hpo-time-ratio", "give --enable-hpo too"]),
        (["--folds", "3"], ["--find-learning-rate and --folds", "find the rate first"]),
        (["--fold", "3"], ["--find-learning-rate and --folds"]),
        (["--tracker", "tensorboard"], ["--tracker tensorboard shows trainings"]),
        (["--world-size", "2"], ["--find-learning-rate works in one process"]),
    ],
)
def test_what_does_not_go_with_it(find: Any, tmp_path: Path, arguments: list[str], texts: list[str]) -> None:
    outcome = find(*arguments)
    assert outcome.code == 2, outcome.err
    assert all(text in outcome.message for text in texts), outcome.message
    assert not (tmp_path / "run").exists()


def test_under_torchrun(find: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    outcome = find()
    assert outcome.code == 2
    assert "--find-learning-rate works in one process" in outcome.message


def test_the_command_that_trains_with_it(
    find: Any, drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_range, "STEPS", 80)
    outcome = find("--seed", "3")
    assert outcome.code == 0, outcome.err
    words = shlex.split(outcome.out.split("Next: ")[1])
    assert words[:3] == ["otx", "train", str(small_file())]
    assert {f"--train-data-roots={drawn_data / 'train'}", "--seed=3", "params"} <= set(words)
    assert not [word for word in words if word.startswith(("--output", "--find"))]
    rate = next(word for word in words if word.startswith("--learning_parameters.learning_rate="))
    assert 1e-7 <= float(rate.partition("=")[2]) <= 0.01
    assert (tmp_path / "run" / "learning_rate.png").is_file()


def test_a_loss_that_never_falls(find: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_range, "STEPS", 80)
    frozen = {**small_template().as_dict(), "parameter_groups": [{"match": ".", "frozen_epochs": 1000}]}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(frozen))
    outcome = find(template=tmp_path / "own.yaml")
    assert outcome.code == 1
    assert "the loss never fell clearly at rates from 1e-06 to 0.1: no learning rate can be proposed" in outcome.message
    assert "learning_rate.png" in outcome.message
    assert (tmp_path / "run" / "learning_rate.csv").is_file()
