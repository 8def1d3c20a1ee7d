"""Which models `export` and `optimize` refuse before anything heavy is imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from otx_seg.errors import UsageError
from otx_seg.inputs.model import check_given_to_export, check_given_to_optimize

PTH, XML, ONNX, BIN = (f"model.{suffix}" for suffix in ("pth", "xml", "onnx", "bin"))


@pytest.fixture(autouse=True)
def models(here: Path) -> None:
    for name in (PTH, XML, ONNX, BIN):
        Path(name).touch()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (None, r"nothing was trained"),
        ("none.pth", r"none.pth: there is no such file"),
        (XML, r"model.xml: is already exported"),
        (ONNX, r"model.onnx: is already exported"),
    ],
)
def test_what_cannot_be_exported(weights: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_given_to_export(weights, None)


@pytest.mark.parametrize(
    ("weights", "train", "resume_from", "message"),
    [
        (PTH, None, "run", r"--resume-from and --load-weights cannot be combined"),
        (None, "data", None, r"--load-weights is missing: .*nothing was exported"),
        (ONNX, "data", None, r"model.onnx: cannot be quantised; give the .xml"),
        (BIN, "data", None, r"model.bin: .*give the .xml beside it: model.xml"),
        (PTH, None, None, r"--train-data-roots is missing: name the folder of the training data"),
        (XML, None, None, r"--train-data-roots is missing: name the folder of the images that calibrate"),
    ],
)
def test_what_cannot_be_quantised(
    weights: str | None, train: str | None, resume_from: str | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        check_given_to_optimize(weights, train, resume_from, None)


def test_what_is_taken() -> None:
    check_given_to_export(PTH, None)
    for given in ((PTH, "data", None), (XML, "data", None), (None, None, "run")):
        check_given_to_optimize(*given, None)
