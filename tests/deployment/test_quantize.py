from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import openvino
import pytest
from full_disk import full_disk
from whole_recipe import EVERYTHING

from otx_seg.datasets import Subset
from otx_seg.deployment.calibration import Calibration, Recipe
from otx_seg.deployment.quantize import Quantized, quantize
from otx_seg.errors import DataError, OtxError, UsageError
from otx_seg.inference.evaluate import evaluate
from otx_seg.inference.predictor import load_predictor
from otx_seg.runtime.openvino_core import openvino_core


def outcome(recipe: Recipe, model: Path, data: Subset, output: Path) -> Quantized:
    return quantize(model, data, data, output, recipe, seed=1)


def test_the_layer_that_costs_the_accuracy_goes_back(delicate_ir: Path, color_data: Subset, tmp_path: Path) -> None:
    plain = outcome(EVERYTHING, delicate_ir, color_data, tmp_path / "plain")
    assert plain.dice_loss > 0.3
    assert (plain.quantized_layers, plain.reverted_layers) == (2, ())
    kept = outcome(replace(EVERYTHING, max_loss=0.01), delicate_ir, color_data, tmp_path / "kept")
    assert kept.dice_loss <= 0.01
    assert (kept.layers, kept.quantized_layers) == (2, 1)
    assert kept.reverted_layers == ("decide/Convolution",)
    assert not kept.out_of_time
    written = json.loads((tmp_path / "kept" / "ptq_performance.json").read_text())
    assert written["reverted_layers"] == ["decide/Convolution"]
    assert written["speed_up"] == pytest.approx(kept.latency_before / kept.latency_after)


def test_without_time_all_layers_stay_in_floating_point(delicate_ir: Path, color_data: Subset, tmp_path: Path) -> None:
    recipe = replace(EVERYTHING, max_loss=0.01, control_seconds=1e-6)
    result = outcome(recipe, delicate_ir, color_data, tmp_path / "ptq")
    assert result.out_of_time
    assert result.dice_loss == 0
    assert result.quantized_layers == 0
    assert set(result.reverted_layers) == {"decide/Convolution", "spread/Convolution"}


def test_progress_is_told(delicate_ir: Path, color_data: Subset, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    recipe = replace(EVERYTHING, max_loss=0.01)
    quantize(
        delicate_ir, color_data, color_data, tmp_path / "ptq", recipe, seed=1, progress=lambda *told: seen.append(told)
    )
    controlling = [(done, total) for stage, done, total in seen if stage == "controlling the accuracy"]
    assert controlling
    assert all(1 <= done <= total == 5 for done, total in controlling)


def nodes(path: Path) -> dict[str, openvino.Node]:
    return {node.get_friendly_name(): node for node in openvino_core().read_model(path).get_ordered_ops()}


def is_quantised(path: Path, convolution: str) -> bool:
    source = nodes(path)[convolution].input_value(0).get_node()
    return source.get_type_name() == "FakeQuantize"


@pytest.mark.parametrize("recipe", [EVERYTHING, replace(EVERYTHING, preset="Mixed", range_quantile=1e-3)])
def test_a_model_is_quantised_and_both_are_measured(
    recipe: Recipe, color_ir: Path, color_data: Subset, tmp_path: Path
) -> None:
    stages: list[tuple[str, int, int]] = []
    result = quantize(
        color_ir, color_data, color_data, tmp_path / "ptq", recipe, seed=1, progress=lambda *seen: stages.append(seen)
    )
    assert sorted(file.name for file in (tmp_path / "ptq").iterdir()) == [
        "label_schema.json",
        "openvino.bin",
        "openvino.xml",
        "ptq_performance.json",
    ]
    assert is_quantised(result.model, "spread/Convolution")
    assert is_quantised(result.model, "decide/Convolution")
    assert result.before.scores.dice_average == 1
    assert result.after.scores.dice_average == 1
    assert result.dice_loss == 0
    assert (result.layers, result.quantized_layers) == (2, 2)
    assert {stage for stage, _, _ in stages} == {"evaluating FP32", "calibrating", "evaluating INT8"}
    assert all(done <= total == 5 for _, done, total in stages)
    written = json.loads((tmp_path / "ptq" / "ptq_performance.json").read_text())
    assert written["Dice Average"] == written["before"]["Dice Average"] == 1
    assert written["calibration_images"] == 5
    assert written["size_bytes"] == sum(
        (tmp_path / "ptq" / name).stat().st_size for name in ("openvino.xml", "openvino.bin")
    )


@pytest.mark.parametrize(("bits", "largest"), [(7, 64), (8, 128)])
def test_7_bits_leave_room_for_the_sum_of_two_products(
    color_ir: Path, color_data: Subset, tmp_path: Path, bits: int, largest: int
) -> None:
    """In 16 bits, as processors without VNNI compute it."""
    result = outcome(replace(EVERYTHING, weight_bits=bits), color_ir, color_data, tmp_path / "ptq")
    assert result.as_json()["weight_bits"] == bits
    quantised = result.model
    kernels = [
        node.input_value(1).get_node()
        for node in openvino_core().read_model(quantised).get_ordered_ops()
        if node.get_type_name() == "Convolution"
    ]
    found = []
    for kernel in kernels:
        while kernel.get_type_name() != "Constant":  # integers, converted, minus a zero point, times a scale
            kernel = kernel.input_value(0).get_node()
        assert kernel.get_element_type() == openvino.Type.i8
        found.append(abs(kernel.get_data().astype(int)).max())
    assert len(found) == 2
    assert largest / 2 < max(found) <= largest
    assert 2 * 255 * 64 < 2**15 < 2 * 255 * 128


def test_how_many_images_calibrate_is_told(
    color_ir: Path, color_data: Subset, tmp_path: Path, messages: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "otx_seg")
    recipe = replace(EVERYTHING, subset_size=3)
    assert quantize(color_ir, color_data, color_data, tmp_path / "few", recipe, seed=1).calibration_images == 3
    assert "calibrating on 3 of 5 images of" in messages.text
    assert "would allow more" not in messages.text
    Calibration(color_data, (16, 16), 3000, seed=1, progress=None)
    assert "calibrating on 5 of 5 images of" in messages.text
    assert "; pot_parameters.calibration_images, 3000, would allow more" in messages.text


def test_a_full_disk(color_ir: Path, color_data: Subset, tmp_path: Path) -> None:
    with pytest.raises(OtxError, match=r"cannot write .*ptq/openvino\.xml: .*; free space or"), full_disk(2000):
        quantize(color_ir, color_data, color_data, tmp_path / "ptq", EVERYTHING, seed=1)
    assert not (tmp_path / "ptq").exists()


def test_the_new_model_keeps_what_the_old_one_tells(color_ir: Path, color_data: Subset, tmp_path: Path) -> None:
    result = quantize(color_ir, color_data, color_data, tmp_path / "ptq", EVERYTHING, seed=1)
    before, after = load_predictor(color_ir), load_predictor(result.model)
    assert after.labels == before.labels
    assert after.post_processing == before.post_processing
    assert evaluate(after, color_data).scores == result.after.scores
    model = openvino_core().read_model(result.model)
    assert model.get_rt_info(["model_info", "labels"]).astype(str) == "grass sea background"


def test_model_api_loads_it(color_ir: Path, color_data: Subset, tmp_path: Path) -> None:
    models = pytest.importorskip("model_api.models", reason="openvino-model-api is not installed")
    result = quantize(color_ir, color_data, color_data, tmp_path / "ptq", EVERYTHING, seed=1)
    model = models.SegmentationModel.create_model(str(result.model), device="CPU")
    assert model.params.labels == ["grass", "sea", "background"]
    for sample in color_data.samples:
        assert (model(color_data.read_image(sample)).resultImage == color_data.read_mask(sample)).all()


def test_an_unreadable_calibration_image_is_named(color_ir: Path, color_data: Subset, tmp_path: Path) -> None:
    Path(color_data.samples[3].image).write_text("no image")
    valid = replace(color_data, samples=color_data.samples[:3])
    with pytest.raises(DataError, match=r"3\.png: not an image"):
        quantize(color_ir, color_data, valid, tmp_path / "ptq", EVERYTHING, seed=1)
    assert not (tmp_path / "ptq").exists()


def test_ignored_nodes_stay_in_floating_point(color_ir: Path, color_data: Subset, tmp_path: Path) -> None:
    recipe = replace(EVERYTHING, ignored_patterns=("^spread",), ignored_types=("Multiply",))
    result = quantize(color_ir, color_data, color_data, tmp_path / "ptq", recipe, seed=1)
    assert (result.layers, result.quantized_layers) == (2, 1)
    assert not is_quantised(result.model, "spread/Convolution")
    assert is_quantised(result.model, "decide/Convolution")


def test_no_more_images_than_asked_for(color_ir: Path, color_data: Subset, tmp_path: Path) -> None:
    totals: set[int] = set()

    def watch(stage: str, done: int, total: int) -> None:
        if stage == "calibrating":
            totals.add(total)

    recipe = replace(EVERYTHING, subset_size=2)
    quantize(color_ir, color_data, color_data, tmp_path / "ptq", recipe, seed=1, progress=watch)
    assert totals == {2}


def test_nothing_is_printed(
    color_ir: Path, color_data: Subset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quantize(color_ir, color_data, color_data, tmp_path / "ptq", EVERYTHING, seed=1)
    assert capsys.readouterr().out == ""


def test_a_quantised_model_is_refused(color_ir: Path, color_data: Subset, tmp_path: Path) -> None:
    result = quantize(color_ir, color_data, color_data, tmp_path / "ptq", EVERYTHING, seed=1)
    with pytest.raises(UsageError, match="is quantised already"):
        quantize(result.model, color_data, color_data, tmp_path / "again", EVERYTHING, seed=1)
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (replace(EVERYTHING, ignored_patterns=("hamburger",)), "no node matches the ignored pattern 'hamburger'"),
        (replace(EVERYTHING, ignored_types=("MVN",)), "no node of the ignored type 'MVN'"),
    ],
)
def test_a_recipe_for_another_network_is_refused(
    recipe: Recipe, message: str, color_ir: Path, color_data: Subset, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        quantize(color_ir, color_data, color_data, tmp_path / "ptq", recipe, seed=1)
    assert not (tmp_path / "ptq").exists()


def test_nothing_left_to_quantise(color_ir: Path, color_data: Subset, tmp_path: Path) -> None:
    recipe = replace(EVERYTHING, ignored_types=("Convolution",))
    with pytest.raises(UsageError, match="nothing to quantise: all of its 2 layers are small or ignored"):
        quantize(color_ir, color_data, color_data, tmp_path / "ptq", recipe, seed=1)


def test_no_images_to_calibrate_with(color_ir: Path, color_data: Subset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no images to calibrate with"):
        quantize(color_ir, replace(color_data, samples=()), color_data, tmp_path / "ptq", EVERYTHING, seed=1)
