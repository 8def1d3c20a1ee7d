"""Parameters that change how something is done, or what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from otx_seg.datasets.loading import loader as loading
from otx_seg.deployment import ignored_nodes
from otx_seg.errors import UsageError
from otx_seg.inference.torch_predictor import TorchPredictor
from otx_seg.verbs.evaluate import evaluate
from otx_seg.verbs.optimize import optimize


def test_batches_and_workers_of_an_evaluation(
    tiny_weights: Path, tiny_data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches, workers = [], []
    probabilities, open_loader = TorchPredictor.probabilities, loading.open_loader

    def note_batch(self: TorchPredictor, images: torch.Tensor) -> Any:
        batches.append(len(images))
        return probabilities(self, images)

    def note_workers(dataset: Any, number: int, *others: Any, **settings: Any) -> Any:
        workers.append(number)
        return open_loader(dataset, number, *others, **settings)

    monkeypatch.setattr(TorchPredictor, "probabilities", note_batch)
    monkeypatch.setattr(loading, "open_loader", note_workers)
    parameters = {"learning_parameters.inference_batch_size": 3, "learning_parameters.num_workers": 1}
    result = evaluate(tiny_data.root, load_weights=tiny_weights, output=tmp_path / "run", parameters=parameters)
    assert batches == [3, 1, 1, 1, 1, 1]  # and the four pictures of the report, one by one
    assert workers == [1]
    assert result.scores.dice_average == 1.0


def test_the_promise_is_kept(
    tiny_ir: Path, tiny_data: Any, tmp_path: Path, messages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ignored_nodes, "_WORTH_QUANTIZING", 29)  # few layers, since every one is tried by itself
    roots = (tiny_ir, tiny_data.root, tiny_data.root)
    few = {"pot_parameters.stat_subset_size": 2, "learning_parameters.num_workers": 0}
    promise = "nncf_optimization.maximal_accuracy_degradation"
    result = optimize(*roots, output=tmp_path / "loose", parameters={**few, promise: 100})
    assert result.dice_loss > 0  # the truth is what the network says, so INT8 can only lose
    assert result.reverted_layers == ()
    assert "floating point" not in messages.text
    strict = optimize(*roots, output=tmp_path / "strict", parameters={**few, promise: 100 * result.dice_loss / 2})
    assert strict.dice_loss <= result.dice_loss / 2
    assert len(strict.reverted_layers) > 0
    assert strict.plain is not None
    assert strict.plain.difference == pytest.approx(result.dice_loss)
    lost = f"with all of them in integers it was {100 * result.dice_loss:.2f} (standard error of that Dice: "
    assert "returned to floating point" in messages.text
    assert lost in messages.text


def test_the_promise_is_about_what_is_watched(
    tiny_ir: Path, tiny_data: Any, tmp_path: Path, messages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ignored_nodes, "_WORTH_QUANTIZING", 29)
    roots = (tiny_ir, tiny_data.root, tiny_data.root)
    given = {
        "pot_parameters.stat_subset_size": 2,
        "learning_parameters.num_workers": 0,
        "learning_parameters.watch": "accuracy",
    }
    promise = "nncf_optimization.maximal_accuracy_degradation"
    loose = optimize(*roots, output=tmp_path / "loose", parameters={**given, promise: 100})
    lost = loose.before.scores.pixel_accuracy - loose.after.scores.pixel_accuracy
    assert loose.loss == lost > 0
    assert loose.as_json()["watched"] == "accuracy"
    assert loose.as_json()["loss"] == lost
    assert loose.plain is not None
    assert loose.plain.difference == pytest.approx(lost)
    strict = optimize(*roots, output=tmp_path / "strict", parameters={**given, promise: 50 * lost})
    assert strict.loss <= lost / 2
    assert f"no more than {50 * lost:.2f} pixel accuracy points" in messages.text
    assert "(standard error of that pixel accuracy: " in messages.text
    assert strict.summary.startswith("pixel accuracy ")
    with pytest.raises(UsageError, match=r"watch=dice:x: there is no label 'x'"):
        optimize(*roots, output=tmp_path / "other", parameters={**given, "learning_parameters.watch": "dice:x"})


def test_no_time_for_the_promise(tiny_ir: Path, tiny_data: Any, tmp_path: Path, messages: Any) -> None:
    parameters = {
        "pot_parameters.stat_subset_size": 2,
        "learning_parameters.num_workers": 0,
        "nncf_optimization.maximal_accuracy_degradation": 0,
        "nncf_optimization.accuracy_control_minutes": 1e-9,
    }
    result = optimize(tiny_ir, tiny_data.root, tiny_data.root, output=tmp_path / "run", parameters=parameters)
    assert result.out_of_time
    assert result.quantized_layers == 0
    assert "were not found in 1e-09 minutes" in messages.text
    # No loss at all is more than rounding parameters can promise.
    assert ("storing parameters" in messages.text) == (result.dice_loss > 0)


def test_images_that_have_to_be_divided_are_counted(tiny_ir: Path, tiny_data: Any, tmp_path: Path) -> None:
    def stop(*told: object) -> None:
        raise InterruptedError(told)

    with pytest.raises(InterruptedError) as stopped:
        optimize(tiny_ir, tiny_data.root, output=tmp_path / "run", progress=stop)
    assert stopped.value.args == (("checking the training images", 1, 4),)
    assert not (tmp_path / "run").exists()


def test_only_an_ir_and_weights_are_quantised(tiny_onnx: Path, tiny_data: Any) -> None:
    with pytest.raises(UsageError, match=r"model.onnx: cannot be quantised; give the .xml .* or the .pth"):
        optimize(tiny_onnx, tiny_data.root)
