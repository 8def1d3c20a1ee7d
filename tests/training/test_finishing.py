"""What follows the last step: batch norm statistics estimated anew, and all that is watched and averaged, resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from brief_training import CrashAt, same_weights, script_validations, train_briefly, weights_of
from numpy.testing import assert_allclose
from torch import Tensor

from otx_seg.datasets import open_folder
from otx_seg.datasets.loading.loader import EvaluationImages
from otx_seg.errors import UsageError
from otx_seg.inference.torch_predictor import open_checkpoint
from otx_seg.training.finishing import chosen_images

NORMS, AVERAGE = "learning_parameters.precise_bn_images", "learning_parameters.average_best"
STATISTICS = ("running_mean", "running_var")


def _first_norm_by_hand(run: Path, data: Path, batches: list[list[int]]) -> tuple[Any, Any, str]:
    """Mean and variance, by channel, of what the first norm of a trained network gets of training images."""
    predictor = open_checkpoint(run / "models" / "weights.pth", device="cpu")
    network = predictor.network.eval()
    name, norm = next((n, m) for n, m in network.network.named_modules() if isinstance(m, torch.nn.BatchNorm2d))
    seen: list[Tensor] = []
    norm.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    images = EvaluationImages(open_folder(data)["train"], (64, 64))
    with torch.no_grad():
        for batch in batches:
            network(torch.stack([images[index]["image"] for index in batch]))
    values = torch.cat(seen).double().transpose(0, 1).flatten(1).numpy()
    return values.mean(axis=1), values.var(axis=1), name


@pytest.mark.parametrize("score", [900, 901])
def test_the_statistics_are_those_of_training_images_as_they_are_evaluated(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Any, score: int
) -> None:
    script_validations(monkeypatch, 900, 900, score)
    changes = {"learning_parameters.num_iters": 1}
    plain = train_briefly(drawn_data, tmp_path / "plain", parameters=changes)
    result = train_briefly(drawn_data, tmp_path / "run", parameters={**changes, NORMS: 7})
    assert plain.choice == ""
    assert result.choice == "batch norms of 6 training images"  # whole batches of three
    assert f"batch norms of 6 training images: Dice {score / 1000:.4f}, before 0.9000" in messages.text
    before, after = weights_of(tmp_path / "plain"), weights_of(tmp_path / "run")
    assert {name.rpartition(".")[2] for name in after if not torch.equal(before[name], after[name])} == set(STATISTICS)
    chosen = np.random.default_rng(42).permutation(8)[:6]
    mean, variance, name = _first_norm_by_hand(tmp_path / "plain", drawn_data, [list(chosen[:3]), list(chosen[3:])])
    assert_allclose(after[f"{name}.running_mean"].numpy(), mean, rtol=1e-4, atol=1e-5)
    assert_allclose(after[f"{name}.running_var"].numpy(), variance, rtol=1e-4)


def test_statistics_that_score_lower_are_not_kept(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Any
) -> None:
    script_validations(monkeypatch, 900, 900, 899)
    changes = {"learning_parameters.num_iters": 1}
    train_briefly(drawn_data, tmp_path / "plain", parameters=changes)
    result = train_briefly(drawn_data, tmp_path / "run", parameters={**changes, NORMS: 6})
    assert result.choice == ""
    assert "Dice 0.8990, before 0.9000" in messages.text
    assert same_weights(tmp_path / "plain", tmp_path / "run")


@pytest.mark.parametrize("renewed", [True, False])
def test_the_mean_of_networks_gets_such_statistics_where_they_are_good(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renewed: bool
) -> None:
    changes = {"learning_parameters.num_iters": 2, AVERAGE: 2}
    script_validations(monkeypatch, 700, 800, 900)
    train_briefly(drawn_data, tmp_path / "mean", parameters=changes)
    script_validations(monkeypatch, 700, 800, 840 if renewed else 790, 900)
    result = train_briefly(drawn_data, tmp_path / "run", parameters={**changes, NORMS: 9})
    assert result.averaged == (1, 2)
    higher = f"its Dice is {0.06 if renewed else 0.1:.4f} higher than that of epoch 2 alone"
    assert result.choice == (f"{higher}; batch norms of 6 training images" if renewed else higher)
    before, after = weights_of(tmp_path / "mean"), weights_of(tmp_path / "run")
    changed = {name.rpartition(".")[2] for name in after if not torch.equal(before[name], after[name])}
    assert changed == (set(STATISTICS) if renewed else set())


@pytest.mark.parametrize("step", [2, 8])
def test_a_resumed_run_ends_with_the_same_weights(drawn_data: Path, tmp_path: Path, step: int) -> None:
    parameters = {"learning_parameters.watch": "miou", AVERAGE: 2, NORMS: 9}
    whole = train_briefly(drawn_data, tmp_path / "whole", parameters=parameters)
    run = tmp_path / "run"
    with pytest.raises(CrashAt.CrashError):
        train_briefly(drawn_data, run, parameters=parameters, loggers=[CrashAt(step)])
    result = train_briefly(drawn_data, run, resume_from=run)
    assert same_weights(run, tmp_path / "whole")
    assert (result.choice, result.averaged, result.scores) == (whole.choice, whole.averaged, whole.scores)


def test_the_training_itself_is_not_changed(drawn_data: Path, tmp_path: Path) -> None:
    states = []
    for name, more in (("plain", {}), ("run", {AVERAGE: 2, NORMS: 9})):
        train_briefly(drawn_data, tmp_path / name, parameters={"learning_parameters.num_iters": 2, **more})
        states.append(torch.load(tmp_path / name / "logs" / "checkpoint" / "state.pth", weights_only=True))
    one, other = states
    for part in ("algorithm", "average"):
        assert all(torch.equal(value, other[part][key]) for key, value in one[part].items())
    assert torch.equal(one["random"]["torch"], other["random"]["torch"])
    assert one["random"]["python"] == other["random"]["python"]


@pytest.mark.parametrize(
    ("available", "wanted", "batch_size", "expected"),
    [(100, 20, 8, (16, 8)), (100, 5, 8, (5, 5)), (10, 1000, 4, (8, 4)), (10, 6, 1, (6, 2)), (1, 50, 8, (2, 2))],
)
def test_the_images_fill_whole_batches(available: int, wanted: int, batch_size: int, expected: tuple[int, int]) -> None:
    chosen, size = chosen_images(available, wanted, batch_size, seed=3)
    assert (len(chosen), size) == expected
    assert len(set(chosen)) == min(len(chosen), available)
    assert set(chosen) <= set(range(available))
    assert chosen_images(available, wanted, batch_size, seed=3)[0] == chosen


def test_one_image_is_refused(drawn_data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"precise_bn_images.*1 alone has no mean"):
        train_briefly(drawn_data, tmp_path / "run", parameters={NORMS: 1})
