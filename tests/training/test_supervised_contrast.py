"""Supervised contrastive training, from the verb on."""

from __future__ import annotations

from pathlib import Path

import pytest
from brief_training import CrashAt, same_weights, train_briefly

from otx_seg.datasets.synthetic.draw import draw_dataset
from otx_seg.errors import UsageError
from otx_seg.training.loggers import read_metrics

CONTRAST = {"learning_parameters.enable_supcon": True, "supervised_contrast.interval": 2}


@pytest.fixture(scope="module")
def finished(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run."""
    run = tmp_path_factory.mktemp("runs") / "finished"
    train_briefly(drawn_data, run, parameters=CONTRAST)
    return run


def test_the_contrast_is_journaled_and_changes_the_result(drawn_data: Path, finished: Path, tmp_path: Path) -> None:
    often = {**CONTRAST, "supervised_contrast.interval": 1, "learning_parameters.num_iters": 5}
    train_briefly(drawn_data, tmp_path / "often", parameters=often)
    losses = [entry for entry in read_metrics(tmp_path / "often" / "logs" / "metrics.jsonl") if "loss" in entry]
    assert losses
    assert all(entry["contrast"] > 0 for entry in losses)
    train_briefly(drawn_data, tmp_path / "plain")
    assert not same_weights(tmp_path / "plain", finished)


def test_without_weight_it_changes_nothing(drawn_data: Path, tmp_path: Path) -> None:
    train_briefly(drawn_data, tmp_path / "plain")
    train_briefly(drawn_data, tmp_path / "idle", parameters={**CONTRAST, "supervised_contrast.weight": 0.0})
    assert same_weights(tmp_path / "plain", tmp_path / "idle")


def test_a_crashed_run_goes_on_as_if_nothing_had_happened(drawn_data: Path, finished: Path, tmp_path: Path) -> None:
    with pytest.raises(CrashAt.CrashError):
        train_briefly(drawn_data, tmp_path / "run", parameters=CONTRAST, loggers=[CrashAt(5)])
    train_briefly(drawn_data, tmp_path / "run", resume_from=tmp_path / "run")
    assert same_weights(tmp_path / "run", finished)


def test_it_goes_with_labelled_images_alone(drawn_data: Path, tmp_path: Path) -> None:
    draw_dataset(tmp_path / "more", 5, 64, seed=9)
    with pytest.raises(UsageError, match=r"enable_supcon needs only labelled images, not Semisup"):
        train_briefly(
            drawn_data, tmp_path / "run", parameters=CONTRAST, unlabeled_data_roots=tmp_path / "more" / "train"
        )
