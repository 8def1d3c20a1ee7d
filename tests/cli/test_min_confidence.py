"""`otx predict --confidence`, `otx demo --min-confidence`, and what `otx eval` says of confidences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from otx_seg.datasets import Subset
from otx_seg.deployment.deploy import deploy
from otx_seg.deployment.export import export
from otx_seg.runtime.demo_program import main as demo_program


def test_the_short_form(otx: Any, tiny_ir: Path, tiny_data: Subset) -> None:
    fixed = ["predict", "-i", tiny_data.root / "images", "--load-weights", tiny_ir]
    assert otx(*fixed, "-o", "short", "--confidence").code == 0
    assert otx(*fixed, "-o", "long", "--save", "confidence").code == 0
    for name in ("confidence/0.png", "confidence/3.png", "per_image.csv"):
        assert Path("short", name).read_bytes() == Path("long", name).read_bytes()
    both = otx(*fixed, "-o", "both", "--confidence", "--save", "probabilities", "--save-bits", "16")
    assert both.code == 0
    assert cv2.imread("both/confidence/0.png", cv2.IMREAD_UNCHANGED).dtype == np.uint16
    assert Path("both/probabilities/0.tif").is_file()


def test_unsure_pixels_are_unknown(otx: Any, tiny_ir: Path, tiny_weights: Path, tiny_data: Subset) -> None:
    fixed = ["demo", "-i", tiny_data.root / "images", "--delay", "-1"]
    for model in (tiny_ir, tiny_weights):
        to = model.suffix[1:]
        assert otx(*fixed, "--load-weights", model, "--min-confidence", "0.5", "-o", to).code == 0
        assert otx(*fixed, "--load-weights", model, "-o", f"{to}_plain").code == 0
        found, plain = (cv2.imread(f"{name}/0.png", cv2.IMREAD_UNCHANGED) for name in (to, f"{to}_plain"))
        assert 0 < (found == 255).mean() < 1
        assert (found == plain)[found != 255].all()
        assert 255 not in plain


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "nan"])
def test_out_of_range(
    otx: Any, tiny_ir: Path, tiny_data: Subset, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    arguments = ["-i", tiny_data.root / "images", "--output", "out", f"--min-confidence={value}"]
    outcome = otx("demo", "--load-weights", tiny_ir, *arguments)
    assert outcome.code == 2
    assert f"--min-confidence {float(value):g}: is above 0 and at most 1" in outcome.message
    assert demo_program(tiny_ir.parent, [str(argument) for argument in arguments]) == 2
    assert f"Error: --min-confidence {float(value):g}: is above 0 and at most 1" in capsys.readouterr().err
    assert not Path("out").exists()


def test_models_without_confidences(
    otx: Any, tiny_weights: Path, tiny_data: Subset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = export(tiny_weights, tmp_path / "masks", argmax=True).model
    arguments = ["-i", tiny_data.root / "images", "--output", "out", "--min-confidence", "0.5"]
    needed = "was exported with --argmax, so it gives masks and no probabilities"
    outcome = otx("demo", "--load-weights", masks, *arguments)
    assert outcome.code == 2
    assert needed in outcome.message
    assert demo_program(masks, [*map(str, arguments), "--no_show"]) == 2
    assert needed in capsys.readouterr().err
    outcome = otx("predict", "-i", tiny_data.root / "images", "--load-weights", masks, "-o", "out", "--confidence")
    assert outcome.code == 2
    assert needed in outcome.message
    outcome = otx("eval", "--test-data-roots", tiny_data.root, "--load-weights", masks, "-o", "scores")
    assert outcome.code == 0, outcome.err
    assert "confidences: none, since the model was exported with --argmax" in outcome.out
    assert "calibration" not in json.loads(Path("scores/performance.json").read_text())
    assert "How sure it is" not in Path("scores/report.html").read_text()


def test_the_package_refuses(tiny_ir: Path, tiny_data: Subset, tmp_path: Path) -> None:
    package = deploy(tiny_ir, tmp_path).package
    import zipfile

    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path / "unpacked")
    arguments = ["-i", str(tiny_data.root / "images"), "--no_show", "--output", str(tmp_path / "out")]
    assert demo_program(tmp_path / "unpacked" / "model", [*arguments, "--min-confidence", "0.6"]) == 0
    assert 255 in cv2.imread(str(tmp_path / "out" / "0.png"), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize("kind", ["tiny_ir", "tiny_onnx", "tiny_weights"])
def test_eval_measures_them(otx: Any, request: pytest.FixtureRequest, tiny_data: Subset, kind: str) -> None:
    outcome = otx(
        "eval", "--test-data-roots", tiny_data.root, "--load-weights", request.getfixturevalue(kind), "-o", "s"
    )
    assert outcome.code == 0, outcome.err
    found = json.loads(Path("s/performance.json").read_text())["calibration"]
    error = found["expected_calibration_error"]
    assert f"expected calibration error of the confidences: {error:.4f} (15 bins)" in outcome.out
    # The masks are what the network says, so that all is right and confidences are too low by what they miss of 1.
    assert all(point["accuracy"] == pytest.approx(1, abs=1e-3) for point in found["curve"])
    missing = sum((1 - point["confidence"]) * point["pixels"] for point in found["curve"])
    assert error == pytest.approx(missing / sum(point["pixels"] for point in found["curve"]), abs=1e-3)
    page = Path("s/report.html").read_text()
    assert "How sure it is" in page
    assert 'alt="reliability diagram"' in page
    assert f"<b>{error:.4f}</b>" in page
