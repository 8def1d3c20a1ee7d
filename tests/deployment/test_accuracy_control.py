import json
from dataclasses import replace
from pathlib import Path

import pytest
from whole_recipe import EVERYTHING

from otx_seg.datasets import Subset
from otx_seg.deployment.quantize import Quantized, quantize
from otx_seg.deployment.recipe import Recipe


def outcome(recipe: Recipe, model: Path, data: Subset, output: Path) -> Quantized:
    return quantize(model, data, data, output, recipe, seed=1)


def test_the_layer_that_costs_the_accuracy_goes_back(delicate_ir: Path, color_data: Subset, tmp_path: Path) -> None:
    plain = outcome(EVERYTHING, delicate_ir, color_data, tmp_path / "plain")
    assert plain.dice_loss > 0.3
    assert (plain.quantized_layers, plain.reverted_layers) == (2, ())
    kept = outcome(replace(EVERYTHING, max_dice_loss=0.01), delicate_ir, color_data, tmp_path / "kept")
    assert kept.dice_loss <= 0.01
    assert (kept.layers, kept.quantized_layers) == (2, 1)
    assert kept.reverted_layers == ("decide/Convolution",)
    assert not kept.out_of_time
    written = json.loads((tmp_path / "kept" / "ptq_performance.json").read_text())
    assert written["reverted_layers"] == ["decide/Convolution"]
    assert written["speed_up"] == pytest.approx(kept.latency_before / kept.latency_after)


def test_without_time_all_layers_stay_in_floating_point(delicate_ir: Path, color_data: Subset, tmp_path: Path) -> None:
    recipe = replace(EVERYTHING, max_dice_loss=0.01, control_seconds=1e-6)
    result = outcome(recipe, delicate_ir, color_data, tmp_path / "ptq")
    assert result.out_of_time
    assert result.dice_loss == 0
    assert result.quantized_layers == 0
    assert set(result.reverted_layers) == {"decide/Convolution", "spread/Convolution"}


def test_progress_is_told(delicate_ir: Path, color_data: Subset, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    recipe = replace(EVERYTHING, max_dice_loss=0.01)
    quantize(
        delicate_ir, color_data, color_data, tmp_path / "ptq", recipe, seed=1, progress=lambda *told: seen.append(told)
    )
    controlling = [(done, total) for stage, done, total in seen if stage == "controlling the accuracy"]
    assert controlling
    assert all(1 <= done <= total == 5 for done, total in controlling)
