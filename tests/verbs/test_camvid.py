"""The main job on CamVid, 25 minutes of training on two cores; left out unless chosen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import otx_seg

CAMVID = Path(os.environ.get("OTX_SEG_CAMVID", Path(__file__).parents[2] / "../shared/data/camvid"))


@pytest.mark.slow
@pytest.mark.skipif(not CAMVID.is_dir(), reason="CamVid is not there; name its folder in OTX_SEG_CAMVID")
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
    before, after = quantized.before, quantized.after
    assert before.scores.dice_average == pytest.approx(torch_result.scores.dice_average, abs=0.001)
    assert before.seconds_per_image <= torch_result.seconds_per_image / 2
    assert quantized.dice_loss <= 0.01
    assert quantized.size_after <= 0.4 * quantized.size_before
    assert after.seconds_per_image <= before.seconds_per_image
