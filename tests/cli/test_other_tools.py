"""Options as other tools call them."""

from __future__ import annotations

from typing import Any

import pytest

from otx_seg.cli.main import VERBS, cli
from otx_seg.cli.other_tools import _DEVICE, SAID_HERE, TEMPLATE
from otx_seg.template import list_parameters, load


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("train --epochs 5", "--epochs: here this is --learning_parameters.epochs N; see otx train params --help"),
        ("train --lr=0.1", "--lr: here this is --learning_parameters.learning_rate R"),
        ("train --batch_size 4", "--batch_size: here this is --learning_parameters.batch_size N"),
        ("run --imgsz 640", "--imgsz: here this is --learning_parameters.input_size HEIGHTxWIDTH"),
        ("train --img-size 640", "--img-size: here this is --learning_parameters.input_size HEIGHTxWIDTH"),
        ("train --device cpu", "--device: no such option; the first GPU is used, else the CPU"),
        ("train --data x", "--data: here this is --train-data-roots FOLDER; see otx train --help"),
        ("train --weights x", "--weights: here this is --load-weights FILE"),
        ("train --project x", "--project: here this is --output FOLDER"),
        ("train --name x", "--name: here this is --output FOLDER"),
        ("train --max_minutes 3", "--max_minutes: here this is --learning_parameters.max_minutes VALUE"),
        ("train SegNext-t --num-iters 3", "--num-iters: here this is --learning_parameters.epochs VALUE"),
        ("predict --model x", "--model: here this is --load-weights FILE; see otx predict --help"),
        ("eval --data x", "--data: here this is --test-data-roots FOLDER"),
        ("eval --batch-size 2", "--batch-size: here this is --learning_parameters.inference_batch_size N"),
        ("optimize --epochs 2", "--epochs: here this is --nncf_optimization.num_epochs N"),
        ("optimize --max-score-drop 2", "--max-score-drop: here this is --nncf_optimization.max_score_drop VALUE"),
        ("export --imgsz 640", "--imgsz: here this is --input-size HEIGHTxWIDTH"),
        ("export --format onnx", "--format: here this is --export-type TYPE"),
        ("explain --source a", "--source: here this is --explain-data-roots PATH"),
    ],
)
def test_what_it_is_called_here(otx: Any, words: str, told: str) -> None:
    outcome = otx(*words.split())
    assert outcome.code == 2
    assert told in outcome.message


@pytest.mark.parametrize("words", ["export --epochs 3", "deploy --lr 1", "train --nonsense"])
def test_what_a_command_has_nothing_like(otx: Any, words: str) -> None:
    outcome = otx(*words.split())
    assert outcome.code == 2
    assert "No such option" in outcome.message


def test_the_table_names_what_there_is() -> None:
    there = {TEMPLATE, *(f"--{item.plain}" for item in list_parameters(load("SegNext-t")))}
    for verb in VERBS:
        command = cli.get_command(None, verb)  # type: ignore[arg-type]
        assert command is not None
        there.update(name for item in command.params for name in item.opts)
    assert {way.split()[0] for ways in SAID_HERE.values() for way in ways if way not in _DEVICE} <= there
    names = [name for names in SAID_HERE for name in names]
    assert len(names) == len(set(names))
