"""The exported files in OpenVINO Model API, plain OpenVINO and plain ONNX Runtime, as their users would run them."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from other_programs import CAMVID, by_model_api, by_plain_onnxruntime, by_plain_openvino, compared

import otx_seg
from otx_seg.datasets import DataSpec, open_test
from otx_seg.deployment.agreement import drawn_images
from otx_seg.deployment.export import export
from otx_seg.inference.predictor import load_predictor
from otx_seg.inference.torch_predictor import open_checkpoint
from otx_seg.runtime.openvino_core import openvino_core
from otx_seg.runtime.predict_mask import predict_mask
from otx_seg.workspace.weights import read_weights, write_weights

models = pytest.importorskip("model_api.models", reason="openvino-model-api is not installed")
adapters = pytest.importorskip("model_api.adapters")
pipelines = pytest.importorskip("model_api.pipelines")
tilers = pytest.importorskip("model_api.tilers")

DEPLOYMENT = Path(__file__).parents[2] / "docs" / "deployment.md"
F32 = {"INFERENCE_PRECISION_HINT": "f32"}  # bfloat16 is too coarse for a network of random numbers
TILES = {"tile_size": 64, "tiles_overlap": 0.25, "tile_with_full_img": False}


@pytest.fixture(params=["tiny_ir", "tiny_onnx"])
def exported(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(request.param)
    return path


def in_model_api(path: Path) -> Any:
    """The model with nothing set but the arithmetic."""
    adapter = adapters.OpenvinoAdapter(openvino_core(), str(path), device="CPU", plugin_config=F32)
    return models.SegmentationModel.create_model(adapter)


def test_sync_and_async_give_the_same(exported: Path) -> None:
    model, images = in_model_api(exported), drawn_images((60, 100))
    one_by_one = [model(image).resultImage for image in images]
    pipeline = pipelines.AsyncPipeline(model)
    for number, image in enumerate(images):
        pipeline.submit_data(image, number)
    pipeline.await_all()
    for number, expected in enumerate(one_by_one):
        result, _ = pipeline.get_result(number)
        assert expected.shape == (60, 100)
        assert np.array_equal(result.resultImage, expected)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_the_tiler(exported: Path, mode: str) -> None:
    # 112: two tiles of 64 with a quarter in common; what is in no other tile is what its own tile says.
    image, model = drawn_images((112, 112))[0], in_model_api(exported)
    result = tilers.SemanticSegmentationTiler(model, TILES, mode)(image)
    assert result.soft_prediction.shape == (112, 112, 4)
    assert result.resultImage.shape == (112, 112)
    alone = predict_mask(load_predictor(exported), np.ascontiguousarray(image[:64, :64]))
    assert (result.resultImage[:48, :48] == alone[:48, :48]).mean() >= 0.999


def test_contours_have_the_names_of_their_labels(exported: Path) -> None:
    model, image = in_model_api(exported), drawn_images((64, 64))[0]
    result = model(image)
    names = {1: "red_brick", 2: "pole", 3: "sky"}
    assert {contour.label for contour in model.get_contours(result)} == {
        names[value] for value in np.unique(result.resultImage) if value in names
    }


def test_onnx_runtime_inside_model_api(tiny_onnx: Path) -> None:
    model = models.SegmentationModel.create_model(adapters.ONNXRuntimeAdapter(str(tiny_onnx)))
    image = drawn_images((64, 64))[0]
    assert (model(image).resultImage == predict_mask(load_predictor(tiny_onnx), image)).mean() >= 0.999


@pytest.mark.parametrize("kind", ["openvino", "onnx"])
def test_model_api_smooths_and_thresholds_as_the_template_says(kind: Any, tiny_weights: Path, tmp_path: Path) -> None:
    weights = read_weights(tiny_weights)
    assert weights.template is not None
    template = weights.template.override({"postprocessing.soft_threshold": 0.45, "postprocessing.blur_strength": 5})
    write_weights(tmp_path / "weights.pth", weights.state_dict, weights.labels, template, weights.origin)
    path = export(tmp_path / "weights.pth", tmp_path, kind).model
    model, predictor, image = in_model_api(path), load_predictor(path), drawn_images((64, 64))[0]
    assert (model.params.soft_threshold, model.params.blur_strength) == (0.45, 5)
    mask = model(image).resultImage
    assert (mask == predict_mask(predictor, image)).mean() >= 0.999
    probabilities = predictor.probabilities(image.transpose(2, 0, 1)[None])[0]
    smooth = np.stack([cv2.blur(plane, (5, 5)) for plane in probabilities])
    smooth[smooth < 0.45] = 0
    assert (mask == smooth.argmax(axis=0)).mean() >= 0.999
    assert (mask == probabilities.argmax(axis=0)).mean() < 0.9  # else nothing was tested


@pytest.mark.parametrize(
    ("kind", "dynamic", "size"),
    [("openvino", "batch", (64, 64)), ("openvino", "both", (96, 160)), ("onnx", "both", (96, 160))],
)
def test_other_programs_with_open_axes(
    kind: Any,
    dynamic: Any,
    size: tuple[int, int],
    tiny_weights: Path,
    tiny_ir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With an open size, Model API gives the network the image as it is; the documented programs resize it."""
    folder = {"openvino": "exported", "onnx": "onnx"}[kind]
    model = in_model_api(export(tiny_weights, tmp_path / folder, kind, dynamic=dynamic).model)
    network = open_checkpoint(tiny_weights, input_size="{}x{}".format(*size))
    image = drawn_images(size)[0]
    assert (model(image).resultImage == predict_mask(network, image)).mean() >= 0.999
    cv2.imwrite(str(tmp_path / "image.png"), image[:, :, ::-1])
    monkeypatch.chdir(tmp_path)
    (program,) = (text for text in snippets() if f"{folder}/" in text and "model_api" not in text)
    names: dict[str, Any] = {}
    exec(program, names)
    assert (names["mask"] == predict_mask(load_predictor(tiny_ir), image)).mean() >= 0.999


def snippets() -> list[str]:
    """The programs of the documentation's section for other programs."""
    section = (
        DEPLOYMENT.read_text(encoding="utf-8").split("\n## Using the model in another program\n")[1].split("\n## ")[0]
    )
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


def test_the_documented_programs_run(
    tiny_ir: Path, tiny_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_ir.parent, tmp_path / "exported")
    shutil.copytree(tiny_onnx.parent, tmp_path / "onnx")
    image = drawn_images((150, 200))[0]
    cv2.imwrite(str(tmp_path / "image.png"), image[:, :, ::-1])
    monkeypatch.chdir(tmp_path)
    expected = predict_mask(load_predictor(tiny_ir), image)
    assert len(snippets()) == 5
    for snippet in snippets():
        names: dict[str, Any] = {}
        exec(snippet, names)
        assert names["mask"].shape == (150, 200), snippet
        if "model_api" not in snippet:
            assert (names["mask"] == expected).mean() >= 0.999, snippet


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`weights.pth` of a network that knows CamVid, more or less: OTX_SEG_TRAINED, or one trained for five minutes."""
    named = os.environ.get("OTX_SEG_TRAINED")
    if named:
        return Path(named)
    parameters = {
        "learning_parameters.input_size": "256x256",
        "learning_parameters.max_minutes": 5,
        "learning_parameters.pretrained": "none",
    }
    output = tmp_path_factory.mktemp("trained")
    roots = (CAMVID / "train", CAMVID / "val")
    return otx_seg.train(*roots, template="Lite-HRNet-s-mod2", output=output, parameters=parameters).weights


@pytest.mark.slow
@pytest.mark.skipif(not CAMVID.is_dir(), reason="CamVid is missing; name its folder in OTX_SEG_CAMVID")
def test_all_clients_agree_on_camvid(trained: Path, tmp_path: Path) -> None:
    subset = open_test(DataSpec(test_root=CAMVID / "val"))
    (tmp_path / "images").mkdir()
    for sample in subset.samples[:50]:
        shutil.copy(sample.image, tmp_path / "images")
    otx_seg.predict(tmp_path / "images", load_weights=trained, output=tmp_path / "masks")
    files = [tmp_path / "masks" / f"{Path(sample.image).stem}.png" for sample in subset.samples[:50]]
    ours = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in files]
    ir = otx_seg.export(trained, output=tmp_path / "ir").model
    onnx = otx_seg.export(trained, export_type="onnx", output=tmp_path / "onnx").model
    labels = load_predictor(ir).labels
    clients = {
        "openvino": (by_plain_openvino(ir), 0.999, 0.0005),
        "onnxruntime": (by_plain_onnxruntime(onnx), 0.999, 0.0005),
        "model api, ir": (by_model_api(ir), 0.99, 0.002),
        "model api, onnx": (by_model_api(onnx), 0.99, 0.002),
    }
    for name, (mask_of, least, dice_limit) in clients.items():
        agreed, dice, own_dice = compared(subset, 50, labels, mask_of, ours)
        print(f"{name}: {100 * agreed:.4f} % of the pixels, Dice {dice:.4f}, ours {own_dice:.4f}")
        assert agreed >= least, name
        assert dice == pytest.approx(own_dice, abs=dice_limit), name
