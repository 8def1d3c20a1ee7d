"""Models measured side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import openvino
import pytest

from otx_seg.datasets import DataSpec, Subset
from otx_seg.deployment.benchmark import measure as measuring
from otx_seg.deployment.benchmark.measure import Measurement, measure
from otx_seg.deployment.benchmark.variant import Variant
from otx_seg.errors import UsageError
from otx_seg.inference.evaluate import evaluate
from otx_seg.inference.predictor import load_predictor

FOUND = Measurement(Variant(Path("a.pth"), "torch", "FP32", "FP32"), (8, 16), (0.1,), 5.0, 1000, None, 0.5, None)


def test_median_and_percentile() -> None:
    found = replace(FOUND, latencies_s=tuple(number / 1000 for number in (7, 1, 2, 3, 4, 5, 6, 11, 9, 10, 8)))
    assert found.median_s == pytest.approx(0.006)
    assert found.p90_s == pytest.approx(0.010)
    assert found.dice is None
    plain = replace(found, scores={"Dice Average": 0.5}).as_json()
    assert plain["latency_calls"] == 11
    assert (plain["precision"], plain["weights"], plain["input_size"]) == ("FP32", "a.pth", [8, 16])


def test_two_models_of_different_input_size(
    color_variant: Variant, color_data: Subset, resaved: Callable[..., Path], tmp_path: Path
) -> None:
    larger = resaved("larger", lambda model: model.reshape(openvino.PartialShape([1, 3, 32, 32])))
    variants = [color_variant, Variant(larger, "openvino", "FP32", "FP32")]
    stages: list[tuple[str, int, int]] = []
    first, second = measure(
        variants, 1, 0.02, tmp_path / "log", DataSpec(test_root=color_data.root), lambda *stage: stages.append(stage)
    )
    assert [first.variant, second.variant] == variants
    assert (first.input_size, second.input_size) == ((16, 16), (32, 32))
    for found in (first, second):
        assert len(found.latencies_s) >= 10
        assert found.images_per_second > 0
        assert found.load_s > 0
        assert found.size_bytes == sum(
            path.stat().st_size for path in (found.variant.weights, found.variant.weights.with_suffix(".bin"))
        )
    expected = evaluate(load_predictor(color_variant.weights), color_data).scores
    assert first.scores == expected.as_json()
    assert first.dice == expected.dice_average > 0.9
    assert stages[:3] == [("loading", 0, 2), ("loading", 1, 2), ("latency", 0, 20)]
    assert stages[-1] == ("scores", 1, 2)


def test_they_take_turns(color_variant: Variant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    class Watched(measuring.WorkerProcess):
        """Notes what it is asked."""

        def ask(self, do: str, **details: Any) -> Any:
            asked.append((self.variant.arithmetic, do))
            return super().ask(do, **details)

    monkeypatch.setattr(measuring, "WorkerProcess", Watched)
    a, b = "FP32", "bf16"
    measure([color_variant, replace(color_variant, arithmetic=b)], 1, 0.02, tmp_path / "log")
    turns = {do: [who for who, what in asked if what == do] for _, do in asked}
    assert turns["latency"] == turns["throughput"] == [a, b] * 10
    assert turns["load"] == turns["peak_memory"] == turns["load_throughput"] == [a, b]
    # Memory is that of single images: asked before anything is loaded for many.
    assert asked.index((b, "peak_memory")) < asked.index((a, "load_throughput"))


def test_models_with_other_labels(color_variant: Variant, resaved: Callable[..., Path], tmp_path: Path) -> None:
    other = resaved("other")
    other.write_text(other.read_text().replace("grass", "sand"))
    variants = [color_variant, Variant(other, "openvino", "FP32", "FP32")]
    with pytest.raises(UsageError, match=r"other\.xml and .*openvino\.xml: .*only one of them knows 'grass'"):
        measure(variants, 1, 0.02, tmp_path / "log")


def test_labels_in_another_order_can_be_compared(
    color_variant: Variant, resaved: Callable[..., Path], tmp_path: Path
) -> None:
    other = resaved("other")
    text = other.read_text().replace("grass", "@").replace("sea", "grass").replace("@", "sea")
    other.write_text(text)
    assert len(measure([color_variant, Variant(other, "openvino", "FP32", "FP32")], 1, 0.02, tmp_path / "log")) == 2


def test_data_with_a_label_the_models_do_not_know(color_variant: Variant, color_data: Subset, tmp_path: Path) -> None:
    meta = color_data.root / "dataset_meta.json"
    meta.write_text(meta.read_text().replace("grass", "sand"))
    with pytest.raises(UsageError, match="does not know the label 'sand'"):
        measure([color_variant], 1, 0.02, tmp_path / "log", DataSpec(test_root=color_data.root))
