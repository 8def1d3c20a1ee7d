"""`--save` of `otx predict`, with its bits and threshold."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from otx_seg.datasets import Subset

REFUSED = [
    (["--save", "logits"], "'logits' is not one of 'confidence', 'probabilities'"),
    (["--save", "--save-bits"], "needs a value: confidence or probabilities"),
    (["--save", "confidence", "--save-bits", "12"], "'12' is not one of '8', '16'"),
    (["--save-bits", "16"], "--save-bits changes nothing without --save confidence or --save probabilities"),
    (["--confidence-threshold", "0.5"], "--confidence-threshold changes nothing without --save confidence"),
    (["--save", "confidence", "--confidence-threshold", "0"], "--confidence-threshold 0: is above 0 and at most 1"),
    (["--save", "confidence", "--confidence-threshold", "1.5"], "--confidence-threshold 1.5: is above 0 and at most 1"),
    (["--save", "confidence", "--confidence-threshold", "nan"], "--confidence-threshold nan: is above 0 and at most 1"),
    (["--save", "confidence", "--confidence-threshold", "high"], "'high' is not a valid float"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_bad_input(otx: Any, tiny_ir: Path, tiny_data: Subset, arguments: list[str], message: str) -> None:
    outcome = otx("predict", "-i", tiny_data.root / "images", "--load-weights", tiny_ir, "-o", "out", *arguments)
    assert outcome.code == 2
    assert message in outcome.message
    assert not Path("out").exists()


@pytest.mark.parametrize("kind", ["tiny_ir", "tiny_onnx", "tiny_weights"])
def test_the_table_of_images(otx: Any, request: pytest.FixtureRequest, tiny_data: Subset, kind: str) -> None:
    fixed = ["predict", "-i", tiny_data.root / "images", "--load-weights", request.getfixturevalue(kind), "-o", "out"]
    outcome = otx(*fixed, "--save", "confidence", "--save", "probabilities", "--confidence-threshold", "0.6")
    assert outcome.code == 0, outcome.err
    assert "confidence out/confidence/0.png, probabilities out/probabilities/0.tif" in outcome.message or (
        "confidence out/confidence/0.png, probabilities out/probabilities/0.tif" in " ".join(outcome.out.split())
    )
    with Path("out/per_image.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0]][:4] == ["file", "mean_confidence", "mean_entropy_bits", "share_below_0.6"]
    assert [*rows[0]][4:] == ["share of background", "share of red brick", "share of pole", "share of sky"]
    assert {row["file"] for row in rows} == {f"{number}.png" for number in range(4)}
    confidences = [float(row["mean_confidence"]) for row in rows]
    assert confidences == sorted(confidences)
    for row in rows:
        found = cv2.imread(f"out/confidence/{row['file']}", cv2.IMREAD_UNCHANGED) / 255
        assert abs(float(row["mean_confidence"]) - found.mean()) < 0.002
        assert abs(float(row["share_below_0.6"]) - (found < 0.6).mean()) < 0.02
        assert 0 < float(row["mean_entropy_bits"]) < np.log2(4)
        assert abs(sum(float(row[name]) for name in row if name.startswith("share of")) - 1) < 0.001
    again = otx(*fixed, "--save", "confidence")
    assert again.code == 2
    assert "--overwrite" in again.message


def test_an_ensemble(otx: Any, tiny_ir: Path, tiny_weights: Path, tiny_data: Subset) -> None:
    models = ["--load-weights", tiny_ir, "--load-weights", tiny_weights]
    outcome = otx(
        "predict", "-i", tiny_data.root / "images" / "0.png", *models, "-o", "out", "--save", "confidence", "--tta"
    )
    assert outcome.code == 0, outcome.err
    assert len(Path("out/per_image.csv").read_text().splitlines()) == 2
