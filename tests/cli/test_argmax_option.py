"""`otx export --argmax`, and what the other commands make of such a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from otx_seg.datasets import Subset

NEEDED = "was exported with --argmax, so it gives masks and no probabilities, which are needed here"


@pytest.fixture(scope="module")
def decided(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from otx_seg.deployment.export import export

    return export(tiny_weights, tmp_path_factory.mktemp("decided"), argmax=True).model


def test_export(otx: Any, tiny_weights: Path) -> None:
    outcome = otx("export", "--load-weights", tiny_weights, "--argmax", "-o", "out")
    assert outcome.code == 0, outcome.err
    assert 'otx_output value="mask"' in Path("out/openvino.xml").read_text()
    outcome = otx("export", "--load-weights", tiny_weights, "--argmax", "--dump-features", "-o", "other")
    assert outcome.code == 2
    assert "--argmax and --dump-features exclude each other" in outcome.message


def test_commands_that_take_it(otx: Any, decided: Path, tiny_data: Subset) -> None:
    images = tiny_data.root / "images"
    for verb in (["predict", "--save-as", "coco", "-i", images], ["demo", "-i", images, "--delay", "-1"]):
        outcome = otx(*verb, "--load-weights", decided, "-o", verb[0])
        assert outcome.code == 0, outcome.err
    same = [Path(folder, "0.png").read_bytes() for folder in ("predict", "demo")]
    assert same[0] == same[1]
    outcome = otx("eval", "--test-data-roots", tiny_data.root, "--load-weights", decided, "-o", "eval", "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["Dice Average"] > 0.9


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "--tta", "-i"],
        ["predict", "--save", "confidence", "-i"],
        ["predict", "--save-as", "coco", "--min-confidence", "0.5", "-i"],
        ["explain", "--explain-data-roots"],
        ["explain", "--explain-algorithm", "probability", "--explain-data-roots"],
    ],
    ids=" ".join,
)
def test_commands_that_need_probabilities(otx: Any, decided: Path, tiny_data: Subset, arguments: list[str]) -> None:
    outcome = otx(*arguments, tiny_data.root / "images", "--load-weights", decided, "-o", "out")
    assert outcome.code == 2
    assert NEEDED in outcome.message
    assert not list(Path("out").glob("**/*.png"))


def test_several_models(otx: Any, decided: Path, tiny_ir: Path, tiny_data: Subset) -> None:
    models = ["--load-weights", tiny_ir, "--load-weights", decided]
    outcome = otx("predict", "-i", tiny_data.root / "images", *models, "-o", "out")
    assert outcome.code == 2
    assert NEEDED in outcome.message


@pytest.mark.slow
def test_benchmark(otx: Any, decided: Path, tiny_ir: Path) -> None:
    models = ["--load-weights", tiny_ir, "--load-weights", decided]
    outcome = otx("benchmark", *models, "-o", "out", "--seconds", "0.2")
    assert outcome.code == 0, outcome.err
