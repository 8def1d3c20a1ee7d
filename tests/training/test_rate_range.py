"""The learning-rate range test: rates, smoothing and rule by hand; the real thing in a few steps."""

from __future__ import annotations

import csv
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from brief_training import PARAMETERS
from PIL import Image
from small_network import small_file, small_template

from otx_seg.datasets.synthetic.draw import draw_dataset
from otx_seg.errors import UsageError
from otx_seg.training import rate_range
from otx_seg.training.rate_range import RatePoint, _has_diverged, _smoothed, proposed_rate, rate_at
from otx_seg.verbs.find_learning_rate import NoRateError, RateRange, find_learning_rate
from otx_seg.verbs.train import train


def points_of(losses: list[float]) -> list[RatePoint]:
    points: list[RatePoint] = []
    for step, loss in enumerate(losses):
        points.append(RatePoint(step + 1, rate_at(step), loss, _smoothed(points, loss)))
    return points


def test_rates_grow_by_the_same_factor_to_the_largest_possible() -> None:
    rates = np.array([rate_at(step) for step in range(200)])
    assert (rates[0], rates[-1]) == (pytest.approx(1e-6), pytest.approx(0.1))
    assert np.allclose(rates[1:] / rates[:-1], 10 ** (5 / 199))


def test_the_smoothed_loss_is_a_weighted_mean() -> None:
    losses = [3.0, 1.0, 2.0, 5.0]
    weights = np.array([0.9**3, 0.9**2, 0.9, 1.0])
    points = points_of(losses)
    assert points[0].smoothed == pytest.approx(3.0)
    assert points[-1].smoothed == pytest.approx(float(np.average(losses, weights=weights)))


def test_the_proposed_rate_is_a_tenth_of_the_one_with_the_lowest_loss() -> None:
    # Constant to step 99, then down by a hundredth at each step to step 149, then up: the smoothed loss lags behind.
    losses = [1.0] * 100 + [1.0 - 0.01 * step for step in range(50)] + [0.5 + 0.1 * step for step in range(50)]
    points = points_of(losses)
    lowest = int(np.argmin([point.smoothed for point in points]))
    assert 149 <= lowest <= 155
    rate = proposed_rate(points)
    assert rate == pytest.approx(0.1 * 1e-6 * 10 ** (5 * lowest / 199), rel=0.05)
    assert f"{rate:.2g}" == f"{rate:g}"


@pytest.mark.parametrize("losses", [[1.0] * 200, [1.0 + 0.01 * step for step in range(200)], [2.0, 0.5] * 5, []])
def test_a_loss_that_never_falls(losses: list[float]) -> None:
    assert proposed_rate(points_of(losses)) is None


def test_noise_is_no_fall() -> None:
    for seed in range(100):
        assert proposed_rate(points_of(np.random.default_rng(seed).normal(1.0, 0.1, 200).tolist())) is None


def test_divergence_is_four_times_the_lowest_smoothed_loss() -> None:
    assert not _has_diverged(points_of([1.0] * 20))
    assert not _has_diverged(points_of([0.01, *[1.0] * 8]))  # the first steps say nothing yet
    assert _has_diverged(points_of([1.0] * 20 + [40.0]))  # (9 * 1 + 40) / 10 = 4.9
    assert not _has_diverged(points_of([1.0] * 20 + [20.0]))


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_range, "STEPS", 24)


def find_briefly(data: Path, output: Path, **arguments: Any) -> RateRange:
    parameters = {**PARAMETERS, **arguments.pop("parameters", {})}
    arguments = {"template": small_file(), "parameters": parameters, **arguments}
    return find_learning_rate(data / "train", data / "val", output=output, **arguments)


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "learning_rate.csv").open() as file:
        return list(csv.DictReader(file))


def test_what_is_found_and_written(drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_range, "STEPS", 80)
    found = find_briefly(drawn_data, tmp_path / "one", parameters={"learning_parameters.batch_size": 8})
    rows = rows_of(tmp_path / "one")
    assert [float(row["rate"]) for row in rows] == pytest.approx([rate_at(step) for step in range(80)], rel=1e-5)
    assert [float(row["loss"]) for row in rows] == pytest.approx([point.loss for point in found.points], rel=1e-5)
    assert found.rate == proposed_rate(found.points)
    with Image.open(found.picture) as picture:
        assert min(picture.size) >= 400
    files = sorted(path.relative_to(tmp_path / "one").as_posix() for path in (tmp_path / "one").rglob("*.*"))
    assert files == ["cli_report.log", "learning_rate.csv", "learning_rate.png", "logs/otx.log"]
    report = (tmp_path / "one" / "cli_report.log").read_text()
    assert "a learning-rate range test: nothing but the losses is kept" in report
    assert f"a tenth of that, {found.rate:g}" in report
    with pytest.raises(UsageError, match=r"no checkpoint to resume from"):
        train(resume_from=tmp_path / "one")
    with pytest.raises(UsageError, match=r"already holds a result \(learning_rate.csv\)"):
        find_briefly(drawn_data, tmp_path / "one")


def test_it_can_be_repeated_whatever_the_rate_of_the_template(
    few_steps: None, drawn_data: Path, tmp_path: Path
) -> None:
    for name, rate in (("one", 0.05), ("two", 0.0001)):
        with suppress(NoRateError):
            find_briefly(drawn_data, tmp_path / name, parameters={"learning_parameters.learning_rate": rate})
    assert len(rows_of(tmp_path / "one")) == 24
    assert rows_of(tmp_path / "one") == rows_of(tmp_path / "two")


def test_the_first_step_is_that_of_the_training(few_steps: None, drawn_data: Path, tmp_path: Path) -> None:
    with suppress(NoRateError):
        find_briefly(drawn_data, tmp_path / "test")
    train(
        drawn_data / "train", drawn_data / "val", output=tmp_path / "run", template=small_file(), parameters=PARAMETERS
    )
    first = yaml.safe_load((tmp_path / "run" / "logs" / "metrics.jsonl").read_text().splitlines()[0])
    assert first["step"] == 1
    assert float(rows_of(tmp_path / "test")[0]["loss"]) == pytest.approx(first["loss"], rel=1e-5)


@pytest.mark.parametrize("kind", ["semi", "self", "contrast"])
def test_other_trainings(
    monkeypatch: pytest.MonkeyPatch, drawn_data: Path, tmp_path: Path, kind: str, messages: Any
) -> None:
    monkeypatch.setattr(rate_range, "STEPS", 14)
    images = drawn_data / "train" / "images"
    more: dict[str, Any] = {}
    if kind == "semi":
        draw_dataset(tmp_path / "more", images=5, size=64, seed=9)
        more = {"unlabeled_data_roots": tmp_path / "more" / "train" / "images"}
    elif kind == "contrast":
        more = {"parameters": {"learning_parameters.enable_supcon": True}}
    with suppress(NoRateError):
        if kind == "self":
            find_learning_rate(images, output=tmp_path / "run", template=small_file(), parameters=PARAMETERS)
        else:
            find_briefly(drawn_data, tmp_path / "run", **more)
    assert {"semi": "Semisupervised", "self": "Selfsupervised", "contrast": "Incremental"}[kind] in messages.text
    # It announces its own length, not that of the training it is for.
    assert f"{rate_range.STEPS} steps of growing learning rate; results go to" in messages.text
    assert "up to" not in messages.text
    assert len(rows_of(tmp_path / "run")) == 14
    assert not list(tmp_path.rglob("*.pth"))


def test_a_loss_that_diverges_ends_it(drawn_data: Path, tmp_path: Path) -> None:
    content = {
        **small_template().as_dict(),
        "losses": {"main": [{"type": "CrossEntropy", "weight": 1e3}]},
        "optimizer": {"type": "SGD", "momentum": 0.9},
        "gradient_clip_norm": None,
    }
    template = tmp_path / "own.yaml"
    template.write_text(yaml.safe_dump(content))
    found = find_briefly(drawn_data, tmp_path / "run", template=template)
    assert 20 < len(found.points) < 200
    assert np.isfinite([point.loss for point in found.points]).all()
    assert found.rate < found.points[-1].rate / 10
    assert "where it diverged" in (tmp_path / "run" / "cli_report.log").read_text()
