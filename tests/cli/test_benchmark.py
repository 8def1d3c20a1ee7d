"""`otx benchmark`, and what can be wrong with what it is given."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from otx_seg.datasets import Subset

QUICK = ("--seconds", "0.02", "--threads", "1")


def refused(outcome: Any, code: int, *texts: str) -> None:
    assert outcome.code == code, outcome.err
    assert outcome.message.count("Error:") == 1
    for text in texts:
        assert text in outcome.message, outcome.message


@pytest.fixture
def renamed(tiny_ir: Path, tmp_path: Path) -> Path:
    """`tiny_ir` with a label of another name."""
    folder = tmp_path / "renamed"
    shutil.copytree(tiny_ir.parent, folder)
    path = folder / tiny_ir.name
    undigested = re.sub(r"<otx_digest[^>]*>", "", path.read_text())  # an edit deliberately takes it out
    path.write_text(undigested.replace("red brick", "grey brick"))
    return path


def test_three_programs_on_data(
    otx: Any, tiny_weights: Path, tiny_onnx: Path, tiny_ir: Path, tiny_data: Subset, tmp_path: Path
) -> None:
    files = (tiny_weights, tiny_onnx, tiny_ir)
    outcome = otx(
        "benchmark", "--load-weights", *files, "--data-roots", tiny_data.root, "-o", tmp_path / "run", *QUICK, "--json"
    )
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert found == json.loads((tmp_path / "run" / "benchmark.json").read_text())
    assert (tmp_path / "run" / "benchmark.png").is_file()
    in_fp32 = [model for model in found["models"] if model["arithmetic"] == "FP32"]
    assert [model["weights"] for model in in_fp32] == [str(file) for file in files]
    assert [model["kind"] for model in in_fp32] == ["torch", "onnx", "openvino"]
    assert all(model["scores"]["Dice Average"] > 0.999 for model in in_fp32)
    assert (found["threads"], found["images"], found["models"][0]["speed_up"]) == (1, 4, 1.0)
    noted = (tmp_path / "run" / "logs" / "otx.log").read_text()
    for file, median in ((file, model["latency_median_s"]) for file, model in zip(files, in_fp32, strict=True)):
        assert re.search(rf"{file} \(.* FP32\): {1000 * median:.1f} ms per image, Dice (1\.0000|0\.99)", noted)
    medians = [model["latency_median_s"] for model in found["models"]]
    assert [model["speed_up"] for model in found["models"]] == [medians[0] / median for median in medians]


def test_the_screen_says_what_is_left_out(
    otx: Any, tiny_ir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otx_seg.verbs.benchmark.computes_in_bf16", lambda: False)
    words = ("benchmark", "--load-weights", tiny_ir, "-o", tmp_path / "run")
    outcome = otx(*words, *QUICK)
    assert outcome.code == 0, outcome.err
    for text in ("bf16 is left out", "PyTorch is left out", "ONNX Runtime is left out"):
        assert text in outcome.message
    assert "OpenVINO is left out" not in outcome.message
    for text in ("OpenVINO FP32", "1 thread, input 64x64", "1.00", f"Chart: {tmp_path}/run/benchmark.png"):
        assert text in outcome.out
    assert "Dice" not in outcome.out
    refused(otx(*words, *QUICK), 2, "already holds a result (benchmark.json)", "--overwrite")


def test_files_that_cannot_be_compared(otx: Any, tiny_ir: Path, tiny_weights: Path, tmp_path: Path) -> None:
    first = ("benchmark", "--load-weights", tiny_ir)
    (tmp_path / "model.tflite").touch()
    (tmp_path / "model.onnx").write_text("hello")
    refused(otx(*first, tmp_path / "missing.pth"), 2, "missing.pth: there is no such file")
    refused(otx(*first, tmp_path / "model.tflite"), 2, "weights end in .pth, .xml, .onnx, not in '.tflite'")
    refused(otx(*first, tiny_ir), 2, "openvino.xml: is given twice")
    refused(otx(*first, "--load-weights", tiny_ir), 2, "openvino.xml: is given twice")
    refused(otx(*first, tmp_path / "model.onnx", *QUICK), 2, "model.onnx: is not an ONNX model, or is damaged")
    refused(otx("benchmark"), 2, "--load-weights")
    refused(otx("benchmark", tiny_ir), 2, f"otx benchmark --load-weights {tiny_ir}")
    assert not (tmp_path / "here" / "benchmark.json").exists()


def test_models_with_other_labels(otx: Any, tiny_ir: Path, renamed: Path) -> None:
    refused(otx("benchmark", "--load-weights", tiny_ir, renamed, *QUICK), 2, "only one of them knows 'grey brick'")


def test_data_that_does_not_fit(otx: Any, renamed: Path, tiny_data: Subset, tmp_path: Path) -> None:
    words = ("benchmark", "--load-weights", renamed, *QUICK, "--data-roots")
    refused(otx(*words, tiny_data.root), 2, "does not know the label 'red brick'; it knows background, grey brick")
    refused(otx(*words, tmp_path / "nowhere"), 3, "nowhere: no such folder")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--threads", "0"), "threads=0: this process may use"),
        (("--threads", "100000"), "threads=100000: this process may use"),
        (("--seconds", "0"), "seconds=0.0: each model is measured for some time"),
        (("--seconds", "nan"), "seconds=nan: each model"),
    ],
)
def test_numbers_that_make_no_sense(otx: Any, tiny_ir: Path, words: tuple[str, ...], text: str) -> None:
    refused(otx("benchmark", "--load-weights", tiny_ir, *words), 2, text)
