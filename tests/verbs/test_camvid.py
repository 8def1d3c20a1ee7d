"""The main job on CamVid, 25 minutes of training on two cores; left out unless chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
from other_programs import CAMVID, by_model_api, compared

import otx_seg
from otx_seg.datasets import DataSpec, open_test
from otx_seg.inference.predictor import load_predictor
from otx_seg.runtime.predict_mask import predict_mask

pytest.importorskip("model_api.models", reason="openvino-model-api is not installed")


@pytest.mark.slow
@pytest.mark.skipif(not CAMVID.is_dir(), reason="CamVid is missing; name its folder in OTX_SEG_CAMVID")
def test_camvid(tmp_path: Path) -> None:
    train_root, val_root = CAMVID / "train", CAMVID / "val"
    parameters = {
        "learning_parameters.input_size": "256x256",
        "learning_parameters.max_minutes": 25,
        "learning_parameters.pretrained": "none",
    }
    run = otx_seg.train(
        train_root, val_root, template="Lite-HRNet-s-mod2", output=tmp_path / "run", parameters=parameters
    )
    torch_result = otx_seg.evaluate(val_root, load_weights=run.weights, output=tmp_path / "eval")
    assert torch_result.scores.dice_average >= 0.62
    exported = otx_seg.export(run.weights, output=tmp_path / "export")
    quantized = otx_seg.optimize(exported.model, train_root, val_root, output=tmp_path / "int8")
    exported_dice = quantized.before.scores.dice_average
    assert exported_dice == pytest.approx(torch_result.scores.dice_average, abs=0.001)
    assert quantized.dice_loss <= 0.01
    assert quantized.size_after <= 0.4 * quantized.size_before
    subset, ours = open_test(DataSpec(test_root=val_root)), load_predictor(exported.model)
    masks = (predict_mask(ours, subset.read_image(sample)) for sample in subset.samples)
    agreement, dice, _ = compared(subset, len(subset), ours.labels, by_model_api(exported.model), masks)
    assert agreement >= 0.99
    assert dice == pytest.approx(exported_dice, abs=0.002)
