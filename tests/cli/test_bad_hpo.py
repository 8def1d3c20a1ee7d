"""What a user can get wrong about a search for hyper-parameters: exit code, message, nothing left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from brief_training import PARAMETERS
from refusals import refused
from small_network import small_file

from otx_seg.hpo.halving import plan_halving
from otx_seg.template import load
from otx_seg.training.setup.search_settings import DEFAULT_RATIO

PARAMS = ["params", *(f"--{name}={value}" for name, value in PARAMETERS.items())]


@pytest.fixture
def train(otx: Any, drawn_data: Path, tmp_path: Path) -> Any:
    """Ask for a search in ``tmp_path/run``; gives the outcome."""

    def call(*arguments: object, template: object = None, search: bool = True) -> Any:
        roots = ["--train-data-roots", drawn_data / "train", "--val-data-roots", drawn_data / "val"]
        wanted = ["--enable-hpo"] if search else []
        return otx("train", template or small_file(), *roots, "-o", tmp_path / "run", *wanted, *arguments, *PARAMS)

    return call


@pytest.mark.parametrize("ratio", ["1", "0.5", "nan", "inf", "-3"])
def test_a_time_ratio_of_one_or_less(train: Any, tmp_path: Path, ratio: str) -> None:
    refused(train("--hpo-time-ratio", ratio), f"--hpo-time-ratio {float(ratio):g}", "a number above 1")
    assert not (tmp_path / "run").exists()


def test_the_help_tells_the_usual_ratio(otx: Any) -> None:
    told = " ".join(otx("train", "--help").out.split())
    assert f"as a multiple of the training's time. [{DEFAULT_RATIO:g}, or time for two trials]" in told


def test_a_time_ratio_too_small_for_two_trials(train: Any, tmp_path: Path) -> None:
    # Three epochs of three steps: half of nine steps are two epochs, two thirds of the training.
    refused(train("--hpo-time-ratio", "1.5"), "too little for two trials", "67 % of this training", "give 1.67 or more")
    assert not (tmp_path / "run").exists()
    assert plan_halving(1.67, 2 / 3, 3) is not None


def test_options_of_a_search_that_is_not_asked_for(train: Any, tmp_path: Path) -> None:
    refused(train("--hpo-time-ratio", "2", search=False), "--hpo-time-ratio", "give --enable-hpo too")
    refused(train("--hpo-parallel", "2", search=False), "--hpo-parallel", "give --enable-hpo too")
    assert not (tmp_path / "run").exists()


def test_no_trials_at_a_time(train: Any) -> None:
    refused(train("--hpo-parallel", "0"), "--hpo-parallel 0", "at least one")


def test_without_validation_there_is_nothing_to_compare(otx: Any, drawn_data: Path) -> None:
    images = drawn_data / "train" / "images"
    refused(otx("train", "--train-data-roots", images, "--enable-hpo"), "--enable-hpo", "self-supervised")


def test_under_torchrun(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    refused(train(), "--enable-hpo", "without torchrun")


def test_a_run_without_a_search_is_not_resumed_with_one(otx: Any, train: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert train(search=False).code == 0
    refused(otx("train", "--resume-from", run, "--enable-hpo"), "was started without --enable-hpo")
    refused(otx("train", "--resume-from", run, "--hpo-time-ratio", "2"), "was started without --enable-hpo")


def test_a_damaged_record_of_a_search(otx: Any, tmp_path: Path) -> None:
    (tmp_path / "hpo").mkdir()
    (tmp_path / "hpo" / "search.json").write_text('{"ratio": 1.5')
    refused(otx("train", "--resume-from", tmp_path), "search.json", "the search cannot continue", "start a new run")


@pytest.mark.parametrize(
    ("space", "text"),
    [
        ({"learning_parameters": {"learning_rte": {"low": 1e-4, "high": 1e-2}}}, "learning_parameters.learning_rate"),
        ({"learning_parameters": {"num_iters": {"low": 1, "high": 10}}}, "num_iters: cannot be searched"),
        ({"learning_parameters": {"learning_rate": {"low": 1e-2, "high": 1e-4}}}, "must be below high = 0.0001"),
        ({"learning_parameters": {"learning_rate": {"low": 1e-4, "high": 5.0}}}, "high = 5 is not within 1e-07 to 0.1"),
        ({"learning_parameters": {"ema_keep": {"low": 0.0, "high": 0.9, "log": True}}}, "must start above 0"),
        ({"learning_parameters": {"ema_keep": {"low": 0.5, "high": 1.0}}}, "high = 1 is not within"),
        ({"learning_parameters": {"batch_size": {"low": 2.5, "high": 8}}}, "low = 2.5 must be an integer"),
        ({"learning_parameters": {"learning_rate": {"low": 1e-4}}}, "high' is missing"),
        ({"learning_parameters": {"learning_rate": {"low": 1e-4, "high": 1e-2, "steps": 3}}}, "unknown key"),
        ({"learning_parameters": {"learning_rate": [1e-4, 1e-2]}}, "search_space.learning_parameters.learning_rate"),
        ({"learning_parameters": {"batch_size": {"low": 50, "high": 60}}}, "with 8 training images"),
    ],
)
def test_a_search_space_that_makes_no_sense(train: Any, tmp_path: Path, space: dict[str, Any], text: str) -> None:
    template = tmp_path / "own.yaml"
    template.write_text(yaml.safe_dump({**load("Lite-HRNet-s-mod2").as_dict(), "search_space": space}))
    refused(train(template=template), text)
    assert not (tmp_path / "run").exists()
