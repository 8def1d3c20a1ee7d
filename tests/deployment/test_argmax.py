"""Models that give masks in place of probabilities."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import openvino
import pytest
from numpy.testing import assert_array_equal

import otx_seg
from otx_seg.datasets import Subset
from otx_seg.deployment.agreement import drawn_images
from otx_seg.deployment.calibration import Recipe
from otx_seg.deployment.deploy import deploy
from otx_seg.deployment.dynamic import Dynamic
from otx_seg.deployment.export import export
from otx_seg.deployment.quantize import quantize
from otx_seg.errors import UsageError
from otx_seg.inference.ensemble import ensemble
from otx_seg.inference.evaluate import evaluate
from otx_seg.inference.explain import explain_images
from otx_seg.inference.explain_settings import ExplainSettings
from otx_seg.inference.latency import compare_latency
from otx_seg.inference.predictor import load_predictor
from otx_seg.inference.teacher import open_model_of
from otx_seg.runtime.augmented_views import AugmentedViews
from otx_seg.runtime.crops import network_input
from otx_seg.runtime.graph_shape import check_mask
from otx_seg.runtime.handed_over import open_handed_over
from otx_seg.runtime.masks import PostProcessing
from otx_seg.runtime.model_info import ModelInfo, read_model_info
from otx_seg.runtime.pipeline import in_turn, side_by_side
from otx_seg.runtime.predict_mask import SlidingWindow, predict_mask
from otx_seg.runtime.streams import open_stream
from otx_seg.workspace.teacher_file import TeacherFile
from otx_seg.workspace.weights import read_weights, write_weights

IMAGE = drawn_images((90, 70))[0]
NEEDED = "was exported with --argmax, so it gives masks and no probabilities, which are needed here"


@pytest.fixture(scope="module", params=["openvino", "onnx"])
def model(request: pytest.FixtureRequest, tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tiny_weights, tmp_path_factory.mktemp("masks"), request.param, argmax=True).model


@pytest.fixture(scope="module")
def ir(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tiny_weights, tmp_path_factory.mktemp("masks"), argmax=True).model


def test_the_graph_gives_labels(model: Path, tiny_weights: Path) -> None:
    predictor, network = load_predictor(model), load_predictor(tiny_weights, device="cpu")
    assert predictor.gives_masks
    assert not network.gives_masks
    assert predictor.labels == network.labels
    batch = np.concatenate([network_input(image, (64, 64)) for image in drawn_images((64, 64))])
    found = predictor.masks(batch)
    assert (found.dtype, found.shape) == (np.uint8, (4, 64, 64))
    assert (found == network.masks(batch)).mean() > 0.999
    with pytest.raises(UsageError, match=NEEDED):
        predictor.probabilities(batch)


@pytest.mark.parametrize("kind", ["openvino", "onnx"])
@pytest.mark.parametrize("dynamic", ["batch", "size", "both"])
def test_what_is_left_open(tiny_weights: Path, tmp_path: Path, kind: Any, dynamic: Dynamic) -> None:
    exported = export(tiny_weights, tmp_path, kind, dynamic=dynamic, argmax=True)
    assert exported.agreement > 0.999
    predictor = load_predictor(exported.model)
    assert predictor.masks(network_input(IMAGE, (64, 64))).shape == (1, 64, 64)
    shape = {"batch": ["?", 64, 64], "size": [1, "?", "?"], "both": ["?", "?", "?"]}[dynamic]
    if kind == "onnx":
        (output,) = onnx.load(exported.model).graph.output
        assert [side.dim_value or "?" for side in output.type.tensor_type.shape.dim] == shape
        assert output.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    else:
        (port,) = openvino.Core().read_model(exported.model).outputs
        assert [side.get_length() if side.is_static else "?" for side in port.partial_shape] == shape
        assert port.element_type == openvino.Type.u8


def test_masks_are_resized_to_the_nearest_pixel(model: Path) -> None:
    predictor, image = load_predictor(model), drawn_images((128, 192))[0]
    small = predictor.masks(network_input(image, (64, 64)))[0]
    assert_array_equal(predict_mask(predictor, image), small.repeat(2, axis=0).repeat(3, axis=1))


def test_windows_vote(model: Path, tiny_weights: Path) -> None:
    predictor, network = load_predictor(model), load_predictor(tiny_weights, device="cpu")
    window = SlidingWindow(48, 48, 0.0)
    found = predict_mask(predictor, IMAGE, window)
    assert (found == predict_mask(network, IMAGE, window)).mean() > 0.8  # of noise
    assert (found == predict_mask(predictor, IMAGE)).mean() < 0.8


def test_what_needs_probabilities_says_so(
    model: Path, tiny_ir: Path, tmp_path: Path, save: Callable[..., Path]
) -> None:
    predictor = load_predictor(model)
    image = save(tmp_path / "a.png", IMAGE)
    calls: list[Callable[[], object]] = [
        lambda: predict_mask(predictor, IMAGE, views=AugmentedViews(flip=True)),
        lambda: predict_mask(predictor, IMAGE, SlidingWindow(48, 48), AugmentedViews(scales=(1.5,))),
        lambda: predict_mask(predictor, IMAGE, record=lambda *_: None),
        lambda: ensemble({tiny_ir: load_predictor(tiny_ir), model: predictor}),
        lambda: ensemble({model: predictor, tiny_ir: load_predictor(tiny_ir)}),
        lambda: open_model_of(TeacherFile(model, "")),
        lambda: explain_images(predictor, image, tmp_path / "e", ExplainSettings()),
        lambda: explain_images(predictor, image, tmp_path / "e", ExplainSettings("probability")),
        lambda: otx_seg.predict(image, load_weights=model, output=tmp_path / "p", save=["confidence"]),
    ]
    for call in calls:
        with pytest.raises(UsageError, match=NEEDED):
            call()
    assert not list((tmp_path / "e").glob("**/*.npy"))


def test_evaluation_and_its_augmentation(model: Path, tiny_weights: Path, tiny_data: Subset) -> None:
    predictor = load_predictor(model)
    found = evaluate(predictor, tiny_data)
    exact = evaluate(load_predictor(tiny_weights, device="cpu"), tiny_data)
    assert exact.scores.dice_average > found.scores.dice_average > 0.9  # edges
    assert evaluate(predictor, tiny_data, window=SlidingWindow(48, 48)).images == 4
    with pytest.raises(UsageError, match=NEEDED):
        evaluate(predictor, tiny_data, views=AugmentedViews(flip=True))


def test_the_library(model: Path) -> None:
    opened = otx_seg.Model.load(model)
    found = opened.predict([IMAGE, IMAGE[:50]])
    assert_array_equal(found[0].mask, predict_mask(load_predictor(model), IMAGE))
    assert found[1].mask.shape == (50, 70)
    assert found[0].confidence is None


def test_streams(ir: Path, tmp_path: Path, save: Callable[..., Path]) -> None:
    for number, image in enumerate(drawn_images((40, 50))):
        save(tmp_path / f"{number}.png", image)
    predictor = load_predictor(ir)
    frames = open_stream(tmp_path)
    pairs = zip(in_turn(predictor, frames.frames()), side_by_side(predictor, frames.frames()), strict=True)  # type: ignore[arg-type]
    for one, other in pairs:
        assert_array_equal(one.mask, other.mask)
        assert_array_equal(one.mask, predict_mask(predictor, one.frame.image))


def test_a_package(ir: Path, tmp_path: Path) -> None:
    package = deploy(ir, tmp_path).package
    assert_array_equal(predict_mask(load_predictor(package), IMAGE), predict_mask(load_predictor(ir), IMAGE))
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path)
        text = archive.read("README.md").decode()
    assert "the index of each pixel's label, 8-bit integers of shape (1, 64, 64)" in text
    assert "each pixel gets the label of the nearest one" in text
    assert "$" not in text
    assert "model_api" not in text
    assert not (tmp_path / "python" / "model_api_demo.py").exists()  # Model API takes no masks
    config = tmp_path / "model" / "config.json"
    assert open_handed_over(tmp_path / "model").gives_masks
    config.write_text(config.read_text().replace('"blur_strength": 1', '"blur_strength": 5'))
    with pytest.raises(UsageError, match="soft_threshold and blur_strength change nothing, since it gives masks"):
        open_handed_over(tmp_path / "model")


def test_quantised(ir: Path, tiny_ir: Path, tiny_data: Subset, tmp_path: Path) -> None:
    recipe = Recipe("Mixed", 8, (), (), 0.0, 1.0, 60.0)
    ours, usual = (
        quantize(model, tiny_data, tiny_data, tmp_path / str(number), recipe, seed=0)
        for number, model in enumerate((ir, tiny_ir))
    )
    assert ours.quantized_layers == usual.quantized_layers > 0
    after, batch = load_predictor(ours.model), network_input(IMAGE, (64, 64))
    assert after.gives_masks
    assert (after.masks(batch) == load_predictor(usual.model).probabilities(batch).argmax(axis=1)).mean() > 0.99


def test_latencies_are_comparable(ir: Path, tiny_ir: Path) -> None:
    assert len(compare_latency([load_predictor(ir), load_predictor(tiny_ir)])) == 2


def test_what_cannot_be_exported_so(tiny_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--argmax and --dump-features exclude each other"):
        export(tiny_weights, tmp_path / "out", argmax=True, dump_features=True)
    found = read_weights(tiny_weights)
    assert found.template is not None
    cut = found.template.override({"postprocessing.soft_threshold": 0.5})
    write_weights(tmp_path / "weights.pth", found.state_dict, found.labels, cut, "random numbers")
    with pytest.raises(UsageError, match=r"--argmax: the template's postprocessing\.soft_threshold or blur_strength"):
        export(tmp_path / "weights.pth", tmp_path / "out", argmax=True)
    assert not (tmp_path / "out").exists()


def test_entries_that_do_not_fit(ir: Path, tiny_ir: Path, tmp_path: Path) -> None:
    size = '<otx_input_size value="64x64" />'
    for source, old, new, message in (
        (ir, '<otx_output value="mask" />', "", "gives a single value for each pixel"),
        (ir, '<otx_output value="mask" />', '<otx_output value="boxes" />', "otx_output is 'boxes', not mask"),
        (
            tiny_ir,
            size,
            f'{size}<otx_output value="mask" />',
            r"gives a mask, .* but it gives float32 \(1, 4, 64, 64\)",
        ),
    ):
        text = source.read_text()
        assert old in text
        changed = re.sub('<otx_digest value="[0-9a-f]+" />', "", text.replace(old, new))
        (tmp_path / "a.xml").write_text(changed)
        shutil.copy(source.with_suffix(".bin"), tmp_path / "a.bin")
        with pytest.raises(UsageError, match=message):
            load_predictor(tmp_path / "a.xml")


def test_a_model_without_its_digest_is_tried(ir: Path, tmp_path: Path) -> None:
    text = re.sub('<otx_digest value="[0-9a-f]+" />', "", ir.read_text())
    (tmp_path / "a.xml").write_text(text)
    shutil.copy(ir.with_suffix(".bin"), tmp_path / "a.bin")
    assert load_predictor(tmp_path / "a.xml").gives_masks
    with pytest.raises(UsageError, match="gives the label 3, but has 3"):
        check_mask(lambda image: np.full((1, 4, 6), 3, np.uint8), (4, 6), 3, Path("a.xml"))


def test_settings_that_change_nothing(ir: Path) -> None:
    labels = load_predictor(ir).labels
    entries = ModelInfo(labels, None, PostProcessing(0.5, 3), gives_masks=True).entries()
    with pytest.raises(UsageError, match="change nothing, since it gives masks"):
        read_model_info(entries.get, ir, None)
    with pytest.raises(UsageError, match="otx_labels is missing"):
        read_model_info({"otx_output": "mask"}.get, ir, None)


def test_the_command(tiny_weights: Path, tiny_data: Subset, tmp_path: Path) -> None:
    exported = otx_seg.export(tiny_weights, output=tmp_path / "out", argmax=True)
    source = tiny_data.root / "images" / "0.png"
    result = otx_seg.predict(source, load_weights=exported.model, output=tmp_path / "masks")
    mask = cv2.imread(str(result.written[0].files.mask), cv2.IMREAD_UNCHANGED)
    truth = cv2.imread(str(tiny_data.root / "masks" / "0.png"), cv2.IMREAD_UNCHANGED)
    assert (mask == truth).mean() > 0.95
