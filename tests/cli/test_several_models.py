"""`--load-weights` given several times."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from otx_seg.datasets import Subset


def test_eval_and_predict_take_several(
    otx: Any, tiny_weights: Path, tiny_ir: Path, tiny_onnx: Path, tiny_data: Subset, tmp_path: Path
) -> None:
    models = [word for file in (tiny_ir, tiny_onnx) for word in ("--load-weights", file)]
    found = otx("eval", "--test-data-roots", tiny_data.root, *models, "-o", tmp_path / "scores")
    assert found.code == 0, found.err
    written = json.loads((tmp_path / "scores" / "performance.json").read_text())
    assert written["models"] == [str(tiny_ir), str(tiny_onnx)]
    assert written["Dice Average"] > 0.99
    masks = otx("predict", "-i", tiny_data.root / "images", *models, "-o", tmp_path / "masks")
    assert masks.code == 0, masks.err
    alone = otx("predict", "-i", tiny_data.root / "images", "--load-weights", tiny_ir, "-o", tmp_path / "alone")
    assert alone.code == 0, alone.err
    for mask in sorted((tmp_path / "alone").glob("*.png")):
        assert (tmp_path / "masks" / mask.name).read_bytes() == mask.read_bytes()
    twice = otx("predict", "-i", tiny_data.root / "images", *models, "--load-weights", tiny_ir, "-o", tmp_path / "x")
    assert (twice.code, "is given twice" in twice.err) == (2, True)
