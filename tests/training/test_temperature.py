"""The temperature that is fitted at the end of a training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from brief_training import train_briefly, weights_of
from numpy.typing import NDArray

from otx_seg.datasets import open_folder
from otx_seg.inference.torch_predictor import open_checkpoint
from otx_seg.training import temperature
from otx_seg.training.finishing import Finishing
from otx_seg.training.temperature import calibrate, fit_temperature
from otx_seg.workspace.weights import HIGHEST_TEMPERATURE, read_weights


def _drawn(true_temperature: float, pixels: int = 40_000) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Probabilities of logits, and labels as likely as the softmax of these divided by a temperature says."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (pixels, 5))

    def softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
        powers = np.exp(values)
        return powers / powers.sum(axis=1, keepdims=True)

    cumulated = softmax(logits / true_temperature).cumsum(axis=1)
    truth = (rng.random((pixels, 1)) > cumulated).sum(axis=1).clip(0, 4)
    return softmax(logits).astype(np.float32), truth.astype(np.uint8)


@pytest.mark.parametrize("true_temperature", [0.4, 1.0, 1.7, 3.0])
def test_the_temperature_of_drawn_labels_is_found(true_temperature: float) -> None:
    assert fit_temperature(*_drawn(true_temperature)) == pytest.approx(true_temperature, rel=0.05)


def test_it_is_the_most_likely_one() -> None:
    probabilities, truth = _drawn(1.7, 2000)
    logits = torch.from_numpy(np.log(probabilities)).double()

    def loss(value: float) -> float:
        return float(torch.nn.functional.cross_entropy(logits / value, torch.from_numpy(truth).long()))

    found = fit_temperature(probabilities, truth)
    assert loss(found) <= min(loss(found * 1.001), loss(found / 1.001))


def test_it_stays_within_bounds() -> None:
    certain = np.tile(np.float32([0.9, 0.1]), (10, 1))
    assert fit_temperature(certain, np.zeros(10, np.uint8)) == pytest.approx(1 / HIGHEST_TEMPERATURE)
    assert fit_temperature(certain, np.ones(10, np.uint8)) == pytest.approx(HIGHEST_TEMPERATURE)


def test_a_training_ends_with_it(drawn_data: Path, tmp_path: Path, messages: Any) -> None:
    result = train_briefly(drawn_data, tmp_path / "run")
    weights = read_weights(result.weights)
    assert weights.temperature == result.temperature != 1
    assert f"temperature {result.temperature:.3g}, fitted on" in messages.text
    assert "of 2 validation images: expected calibration error" in messages.text
    record = json.loads((tmp_path / "run" / "logs" / "report" / "report.json").read_text())
    assert record["trained"]["temperature"] == result.temperature
    assert f"temperature {result.temperature:.3g} of the confidences" in result.report.read_text()
    assert (
        f"temperature of the confidences: {result.temperature:.3g}" in (tmp_path / "run" / "cli_report.log").read_text()
    )
    again = train_briefly(drawn_data, tmp_path / "again")
    assert again.temperature == result.temperature


def test_it_is_that_of_the_pixels_themselves(drawn_data: Path, tmp_path: Path) -> None:
    result = train_briefly(drawn_data, tmp_path / "run")
    val = open_folder(drawn_data)["val"]
    predictor = open_checkpoint(result.weights, device="cpu")
    predictor.temperature = 1.0
    probabilities, truth = [], []
    for sample in val.samples:  # 64 x 64 pixels, as the network takes them
        image = val.read_image(sample).transpose(2, 0, 1)[None]
        probabilities.append(predictor.probabilities(image)[0].reshape(len(val.labels), -1).T)
        truth.append(val.read_mask(sample).ravel())
    known = np.concatenate(truth) != 255
    expected = fit_temperature(np.concatenate(probabilities)[known], np.concatenate(truth)[known])
    assert result.temperature == pytest.approx(expected, rel=1e-3)


def test_the_sample_is_bounded(drawn_data: Path, small_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temperature, "_MOST_PIXELS", 50)
    monkeypatch.setattr(temperature, "MOST_IMAGES", 3)
    train = open_folder(drawn_data)["train"]
    predictor = open_checkpoint(small_weights, device="cpu")
    results = [calibrate(predictor, train, 2, 0, seed) for seed in (1, 1, 2)]
    assert results[0] == results[1] != results[2]
    assert results[0] is not None
    assert (results[0].images, results[0].pixels) == (3, 48)


def test_nothing_is_labelled(drawn_data: Path, small_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temperature, "IGNORE_INDEX", 0)
    train = open_folder(drawn_data)["train"]
    monkeypatch.setattr(type(train), "read_mask", lambda self, sample: np.zeros((64, 64), np.uint8))
    assert calibrate(open_checkpoint(small_weights, device="cpu"), train, 2, 0, 0) is None


def test_another_process_may_write_it(drawn_data: Path, tmp_path: Path) -> None:
    from otx_seg.training.kept_network import KeptNetwork

    result = train_briefly(drawn_data, tmp_path / "run")
    before = weights_of(tmp_path / "run")

    class Context:
        run = type("Run", (), {"weights": result.weights})
        template = read_weights(result.weights).template

    kept = KeptNetwork(Context(), "scratch", Accelerator(cpu=True))  # type: ignore[arg-type]
    kept.calibrate(1.25)
    assert read_weights(result.weights).temperature == 1.25
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights_of(tmp_path / "run").items())


def test_a_time_budget_leaves_room_for_it(drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    run = Finishing.run

    def watched(self: Finishing, *arguments: Any) -> None:
        seen.append(self.in_validations)
        run(self, *arguments)
        seen.append(self.in_validations)

    monkeypatch.setattr(Finishing, "run", watched)
    train_briefly(drawn_data, tmp_path / "run")
    assert seen == [1.0, 0.0]  # both of two validation images are looked at once more; then it is done
